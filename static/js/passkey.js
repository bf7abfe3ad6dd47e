// Says on the page that a passkey was not used: django-allauth's script only writes to the console.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  for (const told of document.querySelectorAll("[data-passkey-error]")) told.hidden = false;
});
