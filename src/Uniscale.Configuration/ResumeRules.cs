using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration;

/// <summary>How far a run has come, for the rules of its resumption.</summary>
/// <param name="ConsumedTokens">Tokens fed; 0: nothing is decided yet but the model.</param>
/// <param name="BegunPhases">Phases of the curriculum of which something was fed.</param>
/// <param name="SameData">The tokens fed so far are those that the present configuration gives, in their order.</param>
public sealed record ResumedPosition(long ConsumedTokens, int BegunPhases, bool SameData);

/// <summary>
/// What a resumed run may change. It is a list: what is not on it is refused by its key, because the steps done were decided by it and
/// those to come would be
/// the steps of another run.
/// </summary>
public static partial class ResumeRules
{
    /// <summary>Keys that may change, each with all below it, and what follows. docs/reference/checkpoints.md says the same.</summary>
    public static IReadOnlyList<(string Key, string Follows)> Free { get; } =
    [
        ("name", "nothing: the run is where its directory is"),
        ("run_directory", "nothing: a run may move"),
        ("parallel", "the layout; sums are added in another order"),
        ("batch.micro", "memory and speed; the batch stays"),
        ("checkpoint", "when and where checkpoints are written"),
        ("evaluation", "validation and what the model is asked, from the next time on"),
        ("logging", "what is printed and written"),
        ("telemetry", "what monitoring is told"),
        ("preflight", "which nodes are trained on"),
        ("faults", "faults on purpose"),
        ("bad_steps", "what is done about bad steps, from the next one on"),
        ("optimizer", "the update, from the next step on; moments stay"),
        ("schedule", "the rate lies on the new curve from the next step on, as if it had from the start"),
        ("train.steps", "the end; the rate lies on the curve of the new length from the next step on"),
        ("train.tokens", "the end; the rate lies on the curve of the new length from the next step on"),
        ("train.device", "where is computed"),
        ("train.threads", "speed"),
        ("train.checksum_every", "when replicas are compared"),
        ("train.check_memory", "whether a run that the memory cannot hold is refused"),
        ("data.tokenizer", "texts of generation and bits per byte; tokens are in the shards"),
        ("data.validation", "what is validated on, from the next validation on"),
        ("data.max_epochs", "what the plan refuses"),
        ("model.preset", "nothing: the values count"),
        ("model.init_std", "nothing: the weights are there"),
    ];

    /// <summary>Keys that decide which tokens are fed: they may change as far as what was fed stays the same.</summary>
    private static readonly string[] OfData = ["data.sources", "data.window"];

    /// <summary>Keys of a phase that has begun which may change: they do not say what was fed.</summary>
    private static readonly string[] OfBegunPhase =
    [
        "name",
        "tokens",
        "lr",
        "final_ratio",
        "warmup_ratio",
        "weight_decay",
        "evaluate",
        "stop_above",
        "stop_below",
    ];

    /// <summary>Refuses a resumption that changes what the steps done were decided by.</summary>
    /// <param name="stored">Configuration that the checkpoint was saved with.</param>
    /// <param name="current">The present one.</param>
    /// <param name="position">Where the checkpoint is.</param>
    /// <exception cref="UserErrorException">All keys that may not change, each with both values.</exception>
    public static void Check(string stored, ResolvedConfiguration current, ResumedPosition position)
    {
        var refused = ConfigurationDifference.Of(stored, current).Where(change => !IsAllowed(change, current, position)).ToArray();
        if (refused.Length == 0)
            return;
        string keys =
            string.Join("; ", refused.Take(5).Select(change => change.ToString()))
            + (refused.Length > 5 ? $"; and {refused.Length - 5} more" : "");
        throw new UserErrorException(
            $"The run cannot be continued with other values of what its steps were decided by: {keys}. Resume with the values of the run, or begin another run with --set name=OTHER; docs/reference/checkpoints.md#resuming lists what may change."
        );
    }

    /// <summary>What follows from a change that is allowed, in words; null: it says so itself.</summary>
    public static string? FollowsFrom(ConfigurationChange change) => Free.FirstOrDefault(free => IsBelow(change.Path, free.Key)).Follows;

    private static bool IsAllowed(ConfigurationChange change, ResolvedConfiguration current, ResumedPosition position)
    {
        string key = change.Path;
        if (Free.Any(free => IsBelow(key, free.Key)))
            return true;
        if (position.ConsumedTokens == 0)
            return !IsBelow(key, "model");
        if (OfData.Any(data => IsBelow(key, data)))
            return position.SameData;
        if (PhaseOf(key) is { } phase)
            return phase >= position.BegunPhases
                || OfBegunPhase.Contains(key[(key.IndexOf(']', StringComparison.Ordinal) + 2)..].Split('.', '[')[0]);
        // A key that one of the two versions does not know stands at what it did without it.
        return key != "phases" && (change.After is null || (change.Before is null && current.OriginOf(key) is Origin.InDefault));
    }

    private static bool IsBelow(string key, string above) =>
        key.StartsWith(above, StringComparison.Ordinal) && (key.Length == above.Length || key[above.Length] is '.' or '[');

    private static int? PhaseOf(string key) =>
        PhaseKey().Match(key) is { Success: true } match ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex(@"^phases\[(\d{1,6})\]\.")]
    private static partial Regex PhaseKey();
}
