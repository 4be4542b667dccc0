namespace Uniscale.Experiments.Sweeps;

/// <summary>One run of a sweep.</summary>
/// <param name="Index">Place in the plan, from 0.</param>
/// <param name="Values">What it has of its own, by key of the configuration.</param>
/// <param name="Overrides">All overrides of the base configuration, as <c>--set</c> takes them.</param>
/// <param name="Directory">Its run directory.</param>
/// <param name="Hash">Of its resolved configuration; empty where it has none.</param>
/// <param name="Steps">Optimizer steps of the whole run; 0: known once it has begun.</param>
/// <param name="Refusal">Why its values cannot be; null: they can.</param>
/// <param name="Device">Where it computes.</param>
public sealed record SweepRun(
    int Index,
    IReadOnlyList<KeyValuePair<string, string>> Values,
    IReadOnlyList<string> Overrides,
    string Directory,
    string Hash,
    long Steps,
    string? Refusal = null,
    string Device = "cpu"
)
{
    /// <summary>Name of the run, and of its directory.</summary>
    public string Name => NameOf(Index);

    /// <summary>Its own values in words.</summary>
    public string Title => Values.Count == 0 ? "(base)" : string.Join(" ", Values.Select(pair => $"{pair.Key}={pair.Value}"));

    /// <summary>Name of the run at a place in the plan.</summary>
    public static string NameOf(int index) => $"run-{index + 1:D4}";
}
