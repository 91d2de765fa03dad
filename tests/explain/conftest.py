"""What the tests of explanations share."""

import pytest

from tests.explain.small_cases import small_model


@pytest.fixture(scope="session")
def model():
    return small_model()
