#!/usr/bin/env bash
# Runs the suite with the action's inputs, which arrive in the environment so that none is ever read as shell.
# Writes verdict, exit-code, result and sarif to GITHUB_OUTPUT and ends in 0: the action's last step is the gate, so that
# reports are uploaded whatever the verdict. Where a run ends without a result, the job's summary says why.
set -uo pipefail

conformance="${CONFORMANCE_COMMAND:-$RUNNER_TEMP/conformance/bin/conformance}"
mkdir -p "$REPORTS"
rm -f "$REPORTS"/{conformance,comparison}.{json,html,xml,md,sarif,log}

arguments=(--target "$TARGET" --budget "$BUDGET" --workers "$WORKERS" --fail-on "$FAIL_ON")
given() { [ -z "$2" ] || arguments+=("$1" "$2"); }
flag() { [ "$2" != true ] || arguments+=("$1"); }
each() {
  local words
  read -ra words <<<"$2"
  for word in ${words[@]+"${words[@]}"}; do arguments+=("$1" "$word"); done
}

given --profile "$PROFILE"
flag --strict "$STRICT"
given --seed "$SEED"
given --shard "$SHARD"
given --waivers "$WAIVERS"
given --baseline "$BASELINE"
each --suite "$SUITES"
each --only "$ONLY"
given --max-requests "$MAX_REQUESTS"
given --model "$MODEL"
given --workspace-id "$WORKSPACE_ID"
given --timeout "$TIMEOUT"
given --rate "$RATE"
given --ca-file "$CA_FILE"
given --client-cert "$CLIENT_CERT"
given --client-key "$CLIENT_KEY"
given --effects "$EFFECTS"
each --allow-host "$ALLOW_HOST"
given --max-deployments "$MAX_DEPLOYMENTS"
given --max-minutes "$MAX_MINUTES"
given --journal "$JOURNAL"
given --har "$HAR"
given --max-seconds "$MAX_SECONDS"
given --repro "$REPRO"
flag --verbose "$VERBOSE"
for report in json=json html=html junit=xml markdown=md sarif=sarif; do
  arguments+=(--report "${report%%=*}=$REPORTS/conformance.${report##*=}")
done

"$conformance" run "${arguments[@]}" 2> >(tee "$REPORTS/conformance.log" >&2)
code=$?
wait

if [ -n "${COMPARE_WITH:-}" ]; then
  arguments=(--old "$COMPARE_WITH" --new "$TARGET")
  given --profile "$PROFILE"
  given --seed "$SEED"
  given --ca-file "$CA_FILE"
  given --timeout "$TIMEOUT"
  for report in json=json html=html junit=xml markdown=md; do
    arguments+=(--report "${report%%=*}=$REPORTS/comparison.${report##*=}")
  done
  "$conformance" compare "${arguments[@]}"
  compared=$?
  # 2 before 1 before 3, as within one command.
  for worst in 2 1 3; do
    if [ "$compared" = "$worst" ] || [ "$code" = "$worst" ]; then code=$worst; break; fi
  done
  cat "$REPORTS/comparison.md" >>"${GITHUB_STEP_SUMMARY:-/dev/null}" 2>/dev/null
fi

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }
output exit-code "$code"
if [ -f "$REPORTS/conformance.json" ]; then
  case $code in 0) verdict=conformant ;; 1) verdict=not-conformant ;; *) verdict=none ;; esac
  output result "$REPORTS/conformance.json"
  output sarif "$REPORTS/conformance.sarif"
  output verdict "$verdict"
else
  output verdict none
  # Indented, so that nothing in it is read as Markdown.
  {
    printf '## API conformance: no verdict (exit %s)\n\n' "$code"
    tail -n 20 "$REPORTS/conformance.log" | cut -c 1-2000 | sed 's/^/    /'
  } >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
fi
exit 0
