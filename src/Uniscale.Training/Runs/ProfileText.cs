using System.Globalization;
using Uniscale.Engine.Execution;

namespace Uniscale.Training.Runs;

/// <summary>A profile for people's eyes.</summary>
public static class ProfileText
{
    private const int KernelRows = 20;

    /// <summary>Parts of a step, and its longest kernels.</summary>
    public static IEnumerable<string> Lines(StepProfile profile)
    {
        yield return Invariant($"Where a step of {profile.StepSeconds * 1e3:F1} ms goes (mean of {profile.Steps}):");
        foreach (var part in profile.Parts)
            yield return Invariant($"  {part.Name,-32} {part.Seconds * 1e3,10:F2} ms {100 * part.Seconds / profile.StepSeconds,6:F1}%");
        yield return Invariant($"  {"kernel",-32} {"a step",10}    {"share",7} {"calls",8}");
        foreach (var kernel in profile.Kernels.Take(KernelRows))
            yield return Invariant(
                $"  {kernel.Name,-32} {kernel.Seconds * 1e3,10:F2} ms {100 * kernel.Seconds / profile.StepSeconds,6:F1}% {kernel.Calls,8:F0}"
            );
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
