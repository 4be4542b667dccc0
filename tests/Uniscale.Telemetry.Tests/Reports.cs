namespace Uniscale.Telemetry.Tests;

/// <summary>Reports with plain figures.</summary>
internal static class Reports
{
    public static RunStart Start(long totalSteps = 500, double? peak = 1e12, long resumedStep = 0) =>
        new()
        {
            Name = "demo",
            RunDirectory = "runs/demo",
            ParameterCount = 13_900_000,
            Ranks = 2,
            Layout = "dp2",
            TotalSteps = totalSteps,
            FlopsPerToken = 90e6,
            FlopsFormula = "6·N + 12·layers·heads·head_dim·context FLOP a token",
            PeakFlops = peak,
            PeakSource = "given",
            ResumedStep = resumedStep,
        };

    public static StepReport Step(long step, double loss = 7.1234) =>
        new()
        {
            Step = step,
            TotalSteps = 500,
            ConsumedTokens = step * 4096,
            Loss = loss,
            GradientNorm = 1.5,
            LearningRate = 3e-4,
            BatchTokens = 4096,
            Seconds = 2,
            TokensPerSecond = 2048,
            ModelFlops = 184.32e9,
            Mfu = 0.18432,
            MemoryBytes = 1_288_490_189,
            Remaining = TimeSpan.FromSeconds(980),
        };
}
