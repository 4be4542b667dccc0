using Uniscale.Fuzz.Targets;

namespace Uniscale.Fuzz;

/// <summary>All readers that are fuzzed; a project adds its own here.</summary>
public static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } = [.. DataTargets.All, .. RunTargets.All];
}
