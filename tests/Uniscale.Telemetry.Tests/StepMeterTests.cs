namespace Uniscale.Telemetry.Tests;

public sealed class StepMeterTests
{
    [Fact]
    public void Speed_model_operations_and_mfu_follow_from_tokens_and_seconds()
    {
        var report = new StepMeter(Reports.Start()).Complete(
            new StepReport
            {
                Step = 1,
                BatchTokens = 4096,
                Seconds = 2,
            }
        );
        Assert.Equal((2048.0, 2048 * 90e6, 500L), (report.TokensPerSecond, report.ModelFlops, report.TotalSteps));
        Assert.Equal(0.18432, report.Mfu!.Value, 1e-9);
        Assert.True(report.PeakMemoryBytes >= report.MemoryBytes && report.MemoryBytes > 0);
    }

    [Fact]
    public void A_longer_context_has_more_operations_for_a_token()
    {
        var report = new StepMeter(Reports.Start()).Complete(
            new StepReport
            {
                Step = 1,
                BatchTokens = 4096,
                Seconds = 2,
            },
            flopsPerToken: 100e6
        );
        Assert.Equal(2048 * 100e6, report.ModelFlops);
    }

    [Fact]
    public void An_unknown_peak_gives_no_mfu_and_unknown_steps_no_time_left()
    {
        var report = new StepMeter(Reports.Start(totalSteps: 0, peak: null)).Complete(
            new StepReport
            {
                Step = 1,
                BatchTokens = 1,
                Seconds = 1,
            }
        );
        Assert.Null(report.Mfu);
        Assert.Null(report.Remaining);
    }

    [Fact]
    public void The_time_left_is_at_the_median_of_recent_steps()
    {
        var meter = new StepMeter(Reports.Start(totalSteps: 13));
        meter.Complete(new StepReport { Step = 1, Seconds = 60 });
        meter.Complete(
            new StepReport
            {
                Step = 2,
                Seconds = 2,
                Skipped = true,
            }
        );
        var report = meter.Complete(new StepReport { Step = 3, Seconds = 3 });
        Assert.Equal(TimeSpan.FromSeconds(30), report.Remaining);
    }

    [Fact]
    public void In_a_ramp_the_time_left_is_that_of_the_tokens_left()
    {
        var meter = new StepMeter(Reports.Start(totalSteps: 100) with { TotalTokens = 10_000 });
        meter.Complete(
            new StepReport
            {
                Step = 1,
                TotalSteps = 40,
                BatchTokens = 100,
                ConsumedTokens = 100,
                Seconds = 1,
            }
        );
        meter.Complete(
            new StepReport
            {
                Step = 2,
                TotalSteps = 40,
                BatchTokens = 100,
                ConsumedTokens = 200,
                Seconds = 1,
            }
        );
        var report = meter.Complete(
            new StepReport
            {
                Step = 3,
                TotalSteps = 40,
                BatchTokens = 400,
                ConsumedTokens = 600,
                Seconds = 4,
            }
        );
        Assert.Equal((40L, TimeSpan.FromSeconds(94)), (report.TotalSteps, report.Remaining));
    }
}
