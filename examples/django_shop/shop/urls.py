"""Where the views are."""

from __future__ import annotations

from django.urls import path

from shop import views

urlpatterns = [
    path("newsletter", views.join_newsletter),
    path("checkout", views.checkout),
]
