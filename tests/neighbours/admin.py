"""Flask-Admin: pages, with ``is_accessible`` and ``inaccessible_callback`` to decide who may see them."""

from flask import Flask, abort, redirect, request, url_for
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_babel import Babel

from flask_unauthorized import Auth, Basic, Bearer, abort_forbidden, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load

_IN = {"X-User": "ada"}


class _Guarded(BaseView):
    """A view that asks its own question, as the documentation of Flask-Admin shows."""

    def is_accessible(self):
        return request.headers.get("X-User") == "ada"

    @expose("/")
    def index(self):
        return "inside"


class _Redirecting(_Guarded):
    def inaccessible_callback(self, name, **kwargs):
        return redirect(url_for("login", next=request.url))


class _Aborting(_Guarded):
    def inaccessible_callback(self, name, **kwargs):
        abort(401)


class _Returning(_Guarded):
    def inaccessible_callback(self, name, **kwargs):
        return "Log in.", 401


def _build(app: Flask) -> None:
    app.add_url_rule("/login", "login", lambda: "the login page")
    Babel(app)
    admin = Admin(app, name="Shop")
    views = {"forbidden": _Guarded, "redirect": _Redirecting, "abort": _Aborting, "returned": _Returning}
    for endpoint, view in views.items():
        admin.add_view(view(endpoint, endpoint=endpoint))


def together(app):
    console = Basic(lambda name, password: (name, password) == ("ada", "correct horse"))
    auth = Auth(Bearer(load), console)
    auth.init_app(app)

    class Index(AdminIndexView):
        @expose("/")
        @auth.login_required  # below expose
        def index(self):
            return super().index()

    class Orders(BaseView):
        def is_accessible(self):  # asked for the menu of other pages too: it says yes or no, and refuses nobody
            identity = auth.get_identity()
            return identity is not None and "write" in identity.scopes

        def inaccessible_callback(self, name, **kwargs):
            abort_forbidden(scopes={"write"})

        @expose("/")
        def index(self):
            return "orders"

    class Reports(BaseView):
        @expose("/")
        def index(self):
            abort_unauthorized("Sign in again.")

    class Audit(BaseView):
        @expose("/")
        def index(self):
            return "audit"

    Babel(app)  # where Flask-Babel is installed, Flask-Admin needs it
    admin = Admin(app, index_view=Index())
    for view in (Orders(endpoint="orders"), Reports(endpoint="reports"), Audit(endpoint="audit")):
        admin.add_view(view)
    auth.protect(app, public={"static", "admin.static"})  # all its pages, present and future
    auth.protect(app.blueprints["audit"], scopes={"write"})  # one view, after add_view
    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-Admin",
        package="flask-admin",
        build=_build,
        asks=(
            Ask("its index", "/admin/", 200),
            Ask("a file of its own", "/admin/static/admin/css/bootstrap4/admin.css", 200),
            Ask("a view, accessible", "/admin/abort/", 200, headers=_IN),
            Ask("a view, not accessible", "/admin/forbidden/", 403),
            Ask("a view, not accessible, that redirects", "/admin/redirect/", 302),
            Ask("a view, not accessible, that aborts with 401", "/admin/abort/", 401, OURS, page=True),
            Ask("the same, from a browser", "/admin/abort/", 401, OURS, {"Accept": "text/html"}, page=True),
            Ask("a view, not accessible, that returns 401", "/admin/returned/", 401, OURS),
        ),
        together=together,
        guarded=(
            Guarded("/admin/"),
            Guarded("/admin/orders/", "scopes"),
            Guarded("/admin/reports/", "abort"),
            Guarded("/admin/audit/", "scopes"),
        ),
        advice="`protect` takes the app, or the blueprint of a view after `add_view`. `login_required` stands "
        "below `expose`.\n\n"
        "- **`is_accessible`** asks: `return current_user.is_authenticated`. The menu asks it of every view, on every "
        "page, and the credentials are verified once.\n"
        "- **`inaccessible_callback`** refuses: `abort_unauthorized()` leads people to the login page of "
        "`SessionCookie` and sends 401 to programs. `abort_forbidden()` sends 403 to callers who are known.\n"
        "- **Templates** can use `current_user`, as those of Flask-Admin's own examples do.\n"
        "- **Files.** Its style sheets are in the blueprint `admin`, that of the index page. Keep them public, or the "
        'refusal pages of other views have no style: `auth.protect(app.blueprints["admin"], public={"static"})`.',
    ),
)
