"""Some of the reasons are about databases, whose connections are closed after each test."""

from tests.engines import closed_engines as closed_engines
