<%!
    def bare(statements):
        """Without Alembic's own comments; formatting is ruff's."""
        lines = statements.splitlines()
        return "\n".join(line for line in lines if not line.lstrip().startswith("# ###")).strip() or "pass"
%>\
"""${message}"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${bare(upgrades)}


def downgrade() -> None:
    ${bare(downgrades)}
