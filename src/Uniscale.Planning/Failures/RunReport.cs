namespace Uniscale.Planning.Failures;

/// <summary>Many simulated runs of one job.</summary>
/// <param name="Mean">Mean of each part.</param>
/// <param name="Totals">Lengths of the runs, ascending, seconds.</param>
/// <param name="Tokens">Tokens of a run.</param>
public sealed record RunReport(RunParts Mean, IReadOnlyList<double> Totals, double Tokens)
{
    /// <summary>Share of useful time, over all runs.</summary>
    public double Goodput => Mean.Goodput;

    /// <summary>Tokens a day.</summary>
    public double TokensPerDay => Tokens / (Mean.Total / 86_400);

    /// <summary>The length below which a share of runs stays.</summary>
    public double Quantile(double share) => Totals[Math.Clamp((int)Math.Ceiling(share * Totals.Count) - 1, 0, Totals.Count - 1)];

    /// <summary>Share of runs that are over within a time.</summary>
    public double ProbabilityWithin(double seconds) => (double)Totals.Count(total => total <= seconds) / Totals.Count;

    /// <summary>Simulates a job.</summary>
    /// <param name="job">The job.</param>
    /// <param name="model">Its failures.</param>
    /// <param name="runs">Number of runs.</param>
    /// <param name="seed">The same seed gives the same report, whatever the number of threads.</param>
    /// <param name="trace">Recorded failures in place of drawn ones; one run is then all there is.</param>
    public static RunReport Of(JobModel job, FailureModel model, int runs, int seed, FailureTrace? trace = null)
    {
        // A run that loses all its work for ever must still end.
        double horizon = 1000 * job.Work;
        var parts = new RunParts[trace is null ? runs : 1];
        Parallel.For(
            0,
            parts.Length,
            run =>
            {
                var random = new Random(HashCode(seed, run));
                parts[run] = new RunSimulation(job, model, trace is null ? new RandomFailures(model, random) : trace, random).Run(horizon);
            }
        );
        var sum = default(RunParts);
        foreach (var run in parts)
            sum += run;
        return new RunReport(1.0 / parts.Length * sum, [.. parts.Select(run => run.Total).Order()], job.Tokens);
    }

    /// <summary>
    /// The interval of the best goodput, by golden-section search over the simulation, between a tenth and ten times Young's.
    /// </summary>
    public static double BestInterval(JobModel job, FailureModel model, int runs, int seed)
    {
        double young = CheckpointInterval.Young(job.SaveBlocks + job.SlowLoss, model.Mtbf);
        double low = Math.Log(young / 10),
            high = Math.Log(young * 10),
            golden = (Math.Sqrt(5) - 1) / 2;
        double Cost(double log) => Of(job with { Interval = Math.Max(1, Math.Exp(log)) }, model, runs, seed).Mean.Total;
        for (int i = 0; i < 20; i++)
        {
            double left = high - golden * (high - low),
                right = low + golden * (high - low);
            if (Cost(left) < Cost(right))
                high = right;
            else
                low = left;
        }
        return Math.Exp((low + high) / 2);
    }

    private static int HashCode(int seed, int run)
    {
        // Neighbouring seeds must not give neighbouring streams (splitmix64, Steele et al., 2014).
        ulong z = ((ulong)(uint)seed << 32 | (uint)run) + 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (int)(z ^ (z >> 31));
    }
}
