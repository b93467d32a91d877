#!/usr/bin/env bash
# Runs the suite with the action's inputs, which arrive in the environment so that none is ever read as shell.
# Writes verdict, exit-code, result and sarif to GITHUB_OUTPUT and ends in 0: the action's last step is the gate, so that
# reports are uploaded whatever the verdict.
set -uo pipefail

conformance="${CONFORMANCE_COMMAND:-$RUNNER_TEMP/conformance/bin/conformance}"
mkdir -p "$REPORTS"
rm -f "$REPORTS"/conformance.{json,html,xml,md,sarif}

arguments=(--target "$TARGET" --budget "$BUDGET" --workers "$WORKERS" --fail-on "$FAIL_ON")
[ -n "$PROFILE" ] && arguments+=(--profile "$PROFILE")
[ "$STRICT" = true ] && arguments+=(--strict)
[ -n "$SEED" ] && arguments+=(--seed "$SEED")
[ -n "$WAIVERS" ] && arguments+=(--waivers "$WAIVERS")
[ -n "$BASELINE" ] && arguments+=(--baseline "$BASELINE")
read -ra suites <<<"$SUITES"
for name in ${suites[@]+"${suites[@]}"}; do arguments+=(--suite "$name"); done
read -ra ids <<<"$ONLY"
for id in ${ids[@]+"${ids[@]}"}; do arguments+=(--only "$id"); done
for report in json=json html=html junit=xml markdown=md sarif=sarif; do
  arguments+=(--report "${report%%=*}=$REPORTS/conformance.${report##*=}")
done

"$conformance" run "${arguments[@]}"
code=$?

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }
output exit-code "$code"
if [ -f "$REPORTS/conformance.json" ]; then
  case $code in 0) verdict=conformant ;; 1) verdict=not-conformant ;; *) verdict=none ;; esac
  output result "$REPORTS/conformance.json"
  output sarif "$REPORTS/conformance.sarif"
  output verdict "$verdict"
else
  output verdict none
fi
exit 0
