"""Messages to many at once: the one by which a platform tells many of a broadcast's recipients."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mass_sends",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("broadcast_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["broadcast_id"], ["broadcasts.id"], name=op.f("fk_mass_sends_broadcast_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mass_sends")),
        sa.UniqueConstraint("broadcast_id", name=op.f("uq_mass_sends_broadcast_id")),
        sa.UniqueConstraint("key", name=op.f("uq_mass_sends_key")),
    )
    with op.batch_alter_table("mass_sends", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mass_sends_channel_due"), ["channel", "due"], unique=False)
        batch_op.create_index(batch_op.f("ix_mass_sends_channel_sent_at"), ["channel", "sent_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("mass_sends", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mass_sends_channel_sent_at"))
        batch_op.drop_index(batch_op.f("ix_mass_sends_channel_due"))

    op.drop_table("mass_sends")
