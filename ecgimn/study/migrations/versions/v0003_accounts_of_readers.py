"""The sign-on account that a reader belongs to, as a keyed hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the account; one reader of a site for each."""
    op.add_column("reader", sa.Column("account", sa.String(64)))
    op.create_index("one_reader_an_account", "reader", ["site_uid", "account"], unique=True)


def downgrade() -> None:
    """Take it away again."""
    op.drop_index("one_reader_an_account", "reader")
    op.drop_column("reader", "account")
