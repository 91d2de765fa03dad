"""The 71 SCP-ECG statements of PTB-XL: their order, what each means in words, and how the standard groups them.

Codes, kinds and sub-classes are those of scp_statements.csv (Wagner et al., doi:10.13026/kfzx-aw45), which follows
ISO 11073-91064 (SCP-ECG). Four statements are both diagnostic and form there; here they are diagnostic.
"""

from __future__ import annotations

#: Every statement, in the order of scp_statements.csv: diagnoses, then form, then rhythm.
WORDS = {
    "NDT": "Non-diagnostic T-wave abnormality",
    "NST_": "Non-specific ST change",
    "DIG": "Digitalis effect",
    "LNGQT": "Long QT interval",
    "NORM": "Normal ECG",
    "IMI": "Inferior myocardial infarction",
    "ASMI": "Anteroseptal myocardial infarction",
    "LVH": "Left ventricular hypertrophy",
    "LAFB": "Left anterior fascicular block",
    "ISC_": "Non-specific ischaemic ST-T change",
    "IRBBB": "Incomplete right bundle branch block",
    "1AVB": "First-degree AV block",
    "IVCD": "Non-specific intraventricular conduction delay",
    "ISCAL": "Ischaemia in anterolateral leads",
    "CRBBB": "Complete right bundle branch block",
    "CLBBB": "Complete left bundle branch block",
    "ILMI": "Inferolateral myocardial infarction",
    "LAO/LAE": "Left atrial enlargement",
    "AMI": "Anterior myocardial infarction",
    "ALMI": "Anterolateral myocardial infarction",
    "ISCIN": "Ischaemia in inferior leads",
    "INJAS": "Subendocardial injury in anteroseptal leads",
    "LMI": "Lateral myocardial infarction",
    "ISCIL": "Ischaemia in inferolateral leads",
    "LPFB": "Left posterior fascicular block",
    "ISCAS": "Ischaemia in anteroseptal leads",
    "INJAL": "Subendocardial injury in anterolateral leads",
    "ISCLA": "Ischaemia in lateral leads",
    "RVH": "Right ventricular hypertrophy",
    "ANEUR": "ST-T change compatible with ventricular aneurysm",
    "RAO/RAE": "Right atrial enlargement",
    "EL": "Electrolyte disturbance or drug effect",
    "WPW": "Wolff-Parkinson-White syndrome",
    "ILBBB": "Incomplete left bundle branch block",
    "IPLMI": "Inferoposterolateral myocardial infarction",
    "ISCAN": "Ischaemia in anterior leads",
    "IPMI": "Inferoposterior myocardial infarction",
    "SEHYP": "Septal hypertrophy",
    "INJIN": "Subendocardial injury in inferior leads",
    "INJLA": "Subendocardial injury in lateral leads",
    "PMI": "Posterior myocardial infarction",
    "3AVB": "Third-degree AV block",
    "INJIL": "Subendocardial injury in inferolateral leads",
    "2AVB": "Second-degree AV block",
    "ABQRS": "Abnormal QRS",
    "PVC": "Ventricular premature complex",
    "STD_": "Non-specific ST depression",
    "VCLVH": "Voltage criteria for left ventricular hypertrophy",
    "QWAVE": "Q waves present",
    "LOWT": "Low-amplitude T waves",
    "NT_": "Non-specific T-wave change",
    "PAC": "Atrial premature complex",
    "LPR": "Prolonged PR interval",
    "INVT": "Inverted T waves",
    "LVOLT": "Low QRS voltage in limb and chest leads",
    "HVOLT": "High QRS voltage",
    "TAB_": "T-wave abnormality",
    "STE_": "Non-specific ST elevation",
    "PRC(S)": "Premature complexes",
    "SR": "Sinus rhythm",
    "AFIB": "Atrial fibrillation",
    "STACH": "Sinus tachycardia",
    "SARRH": "Sinus arrhythmia",
    "SBRAD": "Sinus bradycardia",
    "PACE": "Artificial pacemaker, functioning normally",
    "SVARR": "Supraventricular arrhythmia",
    "BIGU": "Bigeminy",
    "AFLT": "Atrial flutter",
    "SVTAC": "Supraventricular tachycardia",
    "PSVT": "Paroxysmal supraventricular tachycardia",
    "TRIGU": "Trigeminy",
}
STATEMENTS = tuple(WORDS)
#: Sub-class of each diagnostic statement.
SUBCLASS_OF = {
    "NDT": "STTC", "NST_": "NST_", "DIG": "STTC", "LNGQT": "STTC", "NORM": "NORM", "IMI": "IMI", "ASMI": "AMI",
    "LVH": "LVH", "LAFB": "LAFB/LPFB", "ISC_": "ISC_", "IRBBB": "IRBBB", "1AVB": "_AVB", "IVCD": "IVCD",
    "ISCAL": "ISCA", "CRBBB": "CRBBB", "CLBBB": "CLBBB", "ILMI": "IMI", "LAO/LAE": "LAO/LAE", "AMI": "AMI",
    "ALMI": "AMI", "ISCIN": "ISCI", "INJAS": "AMI", "LMI": "LMI", "ISCIL": "ISCI", "LPFB": "LAFB/LPFB",
    "ISCAS": "ISCA", "INJAL": "AMI", "ISCLA": "ISCA", "RVH": "RVH", "ANEUR": "STTC", "RAO/RAE": "RAO/RAE",
    "EL": "STTC", "WPW": "WPW", "ILBBB": "ILBBB", "IPLMI": "IMI", "ISCAN": "ISCA", "IPMI": "IMI", "SEHYP": "SEHYP",
    "INJIN": "IMI", "INJLA": "AMI", "PMI": "PMI", "3AVB": "_AVB", "INJIL": "IMI", "2AVB": "_AVB",
}  # fmt: skip
DIAGNOSTIC, FORM, RHYTHM = tuple(SUBCLASS_OF), STATEMENTS[44:59], STATEMENTS[59:]
_SUPERCLASSES = {
    "Normal": ("NORM",),
    "Myocardial infarction": ("IMI", "AMI", "LMI", "PMI"),
    "ST-T change": ("NST_", "ISC_", "ISCA", "ISCI", "STTC"),
    "Conduction": ("CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "LAFB/LPFB", "WPW", "_AVB"),
    "Hypertrophy": ("LVH", "RVH", "LAO/LAE", "RAO/RAE", "SEHYP"),
}
#: Statements by what they speak of, in the order in which they are offered to a reader.
GROUPS: dict[str, tuple[str, ...]] = {
    "Rhythm": RHYTHM,
    **{
        group: tuple(name for name, subclass in SUBCLASS_OF.items() if subclass in subclasses)
        for group, subclasses in _SUPERCLASSES.items()
    },
    "Form": FORM,
}
