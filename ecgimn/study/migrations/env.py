"""Run by Alembic: applies the versions on the connection that `ecgimn.study.store` has opened."""

from __future__ import annotations

from alembic import context

from ecgimn.study.database import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
