"""Studies, readers, the event log and the maps that boxes are compared with; events cannot be changed or removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPEND_ONLY = ("event", "study", "evidence")


def upgrade() -> None:
    """Make the tables, and triggers that refuse to change what was written."""
    op.create_table(
        "site",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("mine", sa.Boolean, nullable=False),
    )
    op.create_table(
        "study",
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("key", sa.String(200)),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "reader",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("site_uid", sa.String(32), sa.ForeignKey("site.uid"), nullable=False),
        sa.Column("pseudonym", sa.String(80), nullable=False),
        sa.Column("key", sa.String(200)),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("site_uid", "pseudonym"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("uid", sa.String(32), nullable=False, unique=True),
        sa.Column("study_uid", sa.String(64), sa.ForeignKey("study.uid"), nullable=False),
        sa.Column("reader_uid", sa.String(32), sa.ForeignKey("reader.uid"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("case_id", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("once", sa.String(20)),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("app_version", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("study_uid", "reader_uid", "number"),
        sa.UniqueConstraint("study_uid", "reader_uid", "case_id", "once"),
    )
    op.create_table(
        "evidence",
        sa.Column("study_uid", sa.String(64), sa.ForeignKey("study.uid"), primary_key=True),
        sa.Column("case_id", sa.String(80), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    for table in APPEND_ONLY:
        _refuse_changes(table)


def downgrade() -> None:
    """Go back to an empty database."""
    for table in ("evidence", "event", "reader", "study", "site"):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ecgimn_append_only()")


def _refuse_changes(table: str) -> None:
    if op.get_context().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    elif op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION ecgimn_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION ecgimn_append_only()"
        )
