using System.Globalization;
using Uniscale.Planning.Plans;

namespace Uniscale.Planning.Search;

/// <summary>Says where the slower of two steps loses its time.</summary>
public static class RunnerUp
{
    /// <summary>Parts below this share of the step are not worth a word.</summary>
    private const double Mentioned = 0.001;

    /// <summary>The loss in all, and by the parts of the ranks that compute longest, largest first.</summary>
    /// <param name="best">The faster step.</param>
    /// <param name="second">The slower one.</param>
    public static string Explain(PricedStep best, PricedStep second)
    {
        double lost = second.Seconds - best.Seconds;
        var parts = Parts(second)
            .Zip(Parts(best), (slow, fast) => (slow.Name, Seconds: slow.Seconds - fast.Seconds))
            .Where(part => Math.Abs(part.Seconds) > Mentioned * best.Seconds)
            .OrderByDescending(part => part.Seconds);
        return string.Create(CultureInfo.InvariantCulture, $"{lost:N3} s ({lost / best.Seconds:P1}): ")
            + string.Join(
                ", ",
                parts.Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Name} {part.Seconds:+0.000;-0.000} s"))
            );
    }

    private static IEnumerable<(string Name, double Seconds)> Parts(PricedStep plan)
    {
        var slowest = plan.Times.Slowest;
        var passes = slowest.Passes;
        return
        [
            ("products", passes.Products + passes.Attention),
            ("memory", passes.Memory),
            ("tensor collectives", passes.Tensor),
            ("context collectives", passes.Context),
            ("overhead", passes.Overhead),
            ("optimizer", slowest.Updates),
            ("reduction", slowest.Reduction),
            ("gathering", slowest.Gathering),
            ("waiting", slowest.Waiting),
            ("rest", slowest.Rest),
        ];
    }
}
