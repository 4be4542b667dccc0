using Uniscale.Telemetry.Sinks;

namespace Uniscale.Telemetry.Tests.Sinks;

public sealed class LineSinkTests
{
    [Fact]
    public void A_step_is_one_line_for_people_and_grep() =>
        Assert.Equal(
            "step 10/500 | loss 7.1234 | grad 1.500 | lr 3.00e-04 | 2048 tok/s | 184 GFLOP/s | mfu 18.4% | mem 1.20 GiB | 41.0K tokens | left 16m20s",
            LineSink.Format(Reports.Step(10))
        );

    [Fact]
    public void What_is_not_known_is_left_out_or_na() =>
        Assert.Equal(
            "step 3 | phase books | loss NaN | grad 1.500 | lr 3.00e-04 | 2048 tok/s | 184 GFLOP/s | mfu n/a | mem 1.20 GiB | 12.3K tokens | skipped 2",
            LineSink.Format(
                Reports.Step(3, double.NaN) with
                {
                    TotalSteps = 0,
                    Phase = "books",
                    Mfu = null,
                    Remaining = null,
                    Skipped = true,
                    SkippedCount = 2,
                }
            )
        );

    [Fact]
    public void Lines_come_at_the_first_every_nth_and_the_last_step_and_end_with_the_curve()
    {
        var log = new CollectedLog();
        using var sink = new LineSink(log.Logger(), every: 4);
        sink.Start(Reports.Start());
        for (int step = 1; step <= 10; step++)
            sink.Step(Reports.Step(step, 10 - step));
        sink.Validation(
            new ValidationReport
            {
                Step = 10,
                Name = "web",
                Loss = 2,
                BitsPerByte = 1.25,
                Tokens = 2048,
            }
        );
        sink.End(new RunEnd(10, false, "see runs/demo", TimeSpan.FromSeconds(75)));

        var lines = log.Lines;
        Assert.Equal("run demo in runs/demo: 13.9M parameters, 2 ranks (dp2)", lines[0]);
        Assert.Equal(
            "MFU = tokens/s × FLOP a token / peak; FLOP a token = 6·N + 12·layers·heads·head_dim·context FLOP a token = 90.0M; peak = 1.00 TFLOP/s (given)",
            lines[1]
        );
        Assert.Equal(
            ["1/500", "4/500", "8/500", "10/500"],
            lines.Where(line => line.StartsWith("step ", StringComparison.Ordinal)).Select(line => line.Split(' ')[1])
        );
        Assert.Contains("validation at step 10 | web | loss 2.0000 | 1.2500 bits/byte | perplexity 7.39 | 2048 tokens", lines);
        Assert.StartsWith("loss\n  9.0000 ┤", lines[^2]);
        Assert.Equal("stopped at step 10 after 1m15s: see runs/demo", lines[^1]);
    }

    [Fact]
    public void The_peak_of_memory_stands_beside_what_was_predicted()
    {
        var end = new RunEnd(10, true, "", TimeSpan.Zero);
        Assert.Null(LineSink.FormatMemory(end));
        Assert.Equal(
            "peak memory: 1.00 GiB measured, in the heaviest process (rank 1)",
            LineSink.FormatMemory(end with { Memory = new PeakMemory(1, 1 << 30, null) })
        );
        Assert.Equal(
            "peak memory: 1.00 GiB measured, predicted 1.50 GiB (+50.0%), in the heaviest process (rank 0)",
            LineSink.FormatMemory(end with { Memory = new PeakMemory(0, 1 << 30, 3L << 29) })
        );
    }
}
