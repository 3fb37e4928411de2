"""The plan's section ``proxies``: which proxies split the traffic besides the routers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from switchover.plan.form import VARIABLE, VARIABLE_WORDS, Form, Model, Token, Url
from switchover.plan.units import Seconds

Plain = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    Form("a name of letters, digits, dots, hyphens and underscores", "mood-v3"),
]
Service = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@[A-Za-z0-9-]+)?$"),
    Form("a service's name, with its provider if that is another", "mood-v3@file"),
]
Redis = Annotated[
    str, Field(pattern=VARIABLE), Form(VARIABLE_WORDS, "env:TRAEFIK_REDIS", secret=True)
]


class HaproxyProxy(Model):
    """HAProxy, through its runtime API; agrees with the routers key by key."""

    kind: Literal["haproxy"] = Field(description="always haproxy")
    address: str = Field(min_length=1, description="path of its stats socket, or host:port")

    @property
    def place(self) -> str:
        """What tells it from others of its kind."""
        return self.address


class NginxProxy(Model):
    """nginx on the worker's machine, through a generated file and a checked reload; runs only
    if the operator allows its program."""

    kind: Literal["nginx"] = Field(description="always nginx")
    file: Annotated[
        str,
        Field(pattern=r"^/.+\.conf$"),
        Form("a whole path that ends in .conf", "/etc/nginx/switchover/mood.conf"),
    ] = Field(description="the generated file, which http includes")
    status_url: Url = Field(description="answers with $switchover_<migration>_standing")
    header: Plain = Field(description="request header that carries the request key")
    legacy: Plain = Field("legacy", description="upstream of the legacy system")
    candidate: Plain = Field("candidate", description="upstream of the candidate")
    program: str = Field("nginx", description="the program, as the operator's list names it")
    config: str | None = Field(None, description="its configuration; default: the built-in one")
    settle: Seconds = Field(10.0, gt=0, description="time that a reload may take")

    @property
    def place(self) -> str:
        """What tells it from others of its kind."""
        return self.file


class TraefikProxy(Model):
    """Traefik, through its Redis provider; sticky by cookie only."""

    kind: Literal["traefik"] = Field(description="always traefik")
    redis: Redis = Field(description="variable with the URL of Traefik's Redis")
    root: Plain = Field("traefik", description="the provider's rootKey")
    service: Plain = Field(description="the weighted service that routers name")
    legacy: Service = Field(description="service of the legacy system")
    candidate: Service = Field(description="service of the candidate")
    cookie: Plain | None = Field(None, description="cookie that keeps a visitor on one side")

    @property
    def place(self) -> str:
        """What tells it from others of its kind."""
        return self.service


class GatewayApiProxy(Model):
    """An HTTPRoute of the Kubernetes Gateway API; not sticky."""

    kind: Literal["gateway_api"] = Field(description="always gateway_api")
    url: Url = Field("https://kubernetes.default.svc", description="the Kubernetes API")
    namespace: Plain = Field(description="the route's namespace")
    route: Plain = Field(description="the route's name")
    legacy: Plain = Field(description="Service of the legacy system")
    candidate: Plain = Field(description="Service of the candidate")
    token: Token | None = Field(
        None, description="variable with a bearer token; default: the pod's service account"
    )
    settle: Seconds = Field(10.0, gt=0, description="time that a gateway may take to accept")

    @property
    def place(self) -> str:
        """What tells it from others of its kind."""
        return f"{self.namespace}/{self.route}"


Proxy = Annotated[
    HaproxyProxy | NginxProxy | TraefikProxy | GatewayApiProxy, Field(discriminator="kind")
]
