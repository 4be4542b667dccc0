namespace Uniscale.Configuration;

/// <summary>Rules of the <c>faults</c> section.</summary>
internal static class FaultRules
{
    private static readonly FaultKind[] WithMoment =
    [
        FaultKind.Kill,
        FaultKind.Terminate,
        FaultKind.Hang,
        FaultKind.SegmentationFault,
        FaultKind.KillLauncher,
        FaultKind.Exception,
        FaultKind.OutOfMemory,
    ];

    private static readonly string[] OfRankZero =
    [
        "folder-created",
        "all-durable",
        "manifest-written",
        "marker-written",
        "renamed",
        "pruned",
    ];

    private static readonly string[] OfRounds =
    [
        "comparisons-packed",
        "reward-trained",
        "policy-trained",
        "patches-written",
        "pairs-written",
    ];

    public static IEnumerable<(string, string)> Broken(RunConfiguration configuration)
    {
        var faults = configuration.Faults;
        if (faults.Inject.Count > 0 && !faults.Enabled)
            yield return (
                "faults.inject",
                "faults.inject breaks the run on purpose: set faults.enabled to true if that is what you want, or take the section out."
            );
        for (int i = 0; i < faults.Inject.Count; i++)
        {
            var fault = faults.Inject[i];
            string path = $"faults.inject[{i}]";
            if (OfMoment(fault, path) is { } wrong)
                yield return wrong;
            else if (fault.Moment is not (FaultMoment.Step or FaultMoment.Round) && !WithMoment.Contains(fault.Kind))
                yield return (
                    $"{path}.moment",
                    $"{path}.moment is for faults that can happen at any; what happens here has its own: take moment out."
                );
            if (fault.Kind.IsOfPreflight() && configuration.Preflight.When == PreflightWhen.Never)
                yield return (
                    $"{path}.kind",
                    $"{path}.kind happens in the preflight, which preflight.when: never leaves out: set preflight.when to always."
                );
            if (UsesPoint(fault) && OfRankZero.Contains(fault.Point) && (fault.Rank != 0 || fault.AllRanks))
                yield return ($"{path}.point", $"{path}.point is {fault.Point}, which only rank 0 passes: set {path}.rank to 0.");
        }
    }

    /// <summary>Rounds have points of their own, which nothing else passes.</summary>
    private static (string, string)? OfMoment(FaultSection fault, string path)
    {
        bool isOfRounds = fault.Moment == FaultMoment.Round;
        if (isOfRounds && fault.Kind is not (FaultKind.Kill or FaultKind.Exception or FaultKind.DiskFull))
            return ($"{path}.kind", $"{path}.kind cannot happen at moment round: take kill, exception or disk-full.");
        if (isOfRounds == OfRounds.Contains(fault.Point))
            return null;
        return isOfRounds
            ? ($"{path}.point", $"{path}.point is {fault.Point}, which is no point of a round: take one of {string.Join(", ", OfRounds)}.")
            : ($"{path}.point", $"{path}.point is {fault.Point}, which rounds alone pass: set {path}.moment to round.");
    }

    private static bool UsesPoint(FaultSection fault) =>
        fault.Moment == FaultMoment.Save || fault.Kind is FaultKind.DiskFull or FaultKind.SlowStorage;
}
