"""A coordinator's passphrase and a signing key for this site, the public keys of others, and wrong passphrases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what sites need, and the table of wrong passphrases."""
    op.add_column("site", sa.Column("key", sa.String(200)))
    op.add_column("site", sa.Column("private_key", sa.String(64)))
    op.add_column("site", sa.Column("public_key", sa.String(64)))
    op.create_table(
        "guess",
        sa.Column("subject", sa.String(100), primary_key=True),
        sa.Column("n_wrong", sa.Integer, nullable=False),
        sa.Column("last_at", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    """Take both away again."""
    op.drop_table("guess")
    for column in ("public_key", "private_key", "key"):
        op.drop_column("site", column)
