using Spectre.Console;
using Uniscale.Telemetry.Sinks;

namespace Uniscale.Telemetry.Tests.Sinks;

public sealed class LiveSinkTests
{
    [Fact]
    public void The_view_shows_progress_curve_figures_validation_and_notes()
    {
        var (console, text) = Console();
        using var sink = new LiveSink(console);
        for (int step = 1; step <= 250; step++)
            sink.Step(Reports.Step(step, 9 - (step / 100.0)));
        sink.Validation(
            new ValidationReport
            {
                Step = 250,
                Name = "web",
                Loss = 6.4,
                BitsPerByte = 2.5,
            }
        );
        sink.Note(new Note(250, "checkpoint", "checkpoint [250] is durable", NoteLevel.Warning));
        console.Write(sink.View());

        string view = text.ToString();
        Assert.Contains("50.0% · step 250/500 · 16m20s left", view);
        Assert.Contains("━━━━", view);
        Assert.Contains("8.9", view);
        Assert.Contains("learning rate 3.00e-04", view);
        Assert.Contains("MFU 18.4%", view);
        Assert.Contains("2.5000", view);
        Assert.Contains("checkpoint [250] is durable", view);
    }

    [Fact]
    public void It_starts_draws_and_ends()
    {
        var (console, text) = Console();
        using (var sink = new LiveSink(console))
        {
            sink.Start(Reports.Start(resumedStep: 7));
            sink.Step(Reports.Step(1));
            sink.End(new RunEnd(1, true, "runs/[demo]", TimeSpan.FromSeconds(3)));
        }
        Assert.Contains("step 1/500", text.ToString());
        Assert.Contains("demo · 13.9M parameters · 2 ranks · resumed after step 7", text.ToString());
        Assert.Contains("peak = 1.00 TFLOP/s (given)", text.ToString().ReplaceLineEndings(" "));
        Assert.Contains("finished at step 1 after 3s: runs/[demo]", text.ToString());
    }

    [Fact]
    public void It_fits_into_80_columns_without_colour_with_phase_domains_and_restarts()
    {
        var (console, text) = Console();
        console.Profile.Width = 80;
        using var sink = new LiveSink(console);
        sink.Start(Reports.Start(resumedStep: 7) with { Restarts = 2 });
        sink.Step(
            Reports.Step(8) with
            {
                Phase = "long-context",
                GradientNorm = 12345.678,
                DomainLosses = new Dictionary<string, double>
                {
                    ["code"] = 2.5,
                    ["prose"] = 3.75,
                    ["mathematics"] = 4.125,
                    ["conversations"] = double.NaN,
                },
                MemoryParts = new Dictionary<string, long>
                {
                    ["parameters"] = 3 << 20,
                    ["gradients"] = 5 << 20,
                    ["optimizer"] = 9 << 20,
                    ["other"] = 1 << 20,
                },
            }
        );
        foreach (string domain in (string[])["code", "prose", "mathematics"])
            sink.Validation(
                new ValidationReport
                {
                    Step = 8,
                    Name = $"{domain}-held-out",
                    Domain = domain,
                    Loss = 3.25,
                    BitsPerByte = 1.5,
                }
            );
        text.GetStringBuilder().Clear();
        console.Write(sink.View());
        string view = text.ToString();
        Assert.All(view.Split('\n'), line => Assert.InRange(line.TrimEnd().Length, 0, 80));
        Assert.DoesNotContain('\e', view);
        foreach (
            string part in (string[])
                [
                    "phase long-context",
                    "2 restarts",
                    "mathematics 4.1250",
                    "conversations NaN",
                    "gradient norm 12345.678",
                    "optimizer 9.00 MiB",
                    "MFU",
                ]
        )
            Assert.Contains(part, view);
    }

    /// <summary>What a plain terminal cannot show is left out from the end of what matters, not from the beginning.</summary>
    [Theory]
    [InlineData(24)]
    [InlineData(30)]
    [InlineData(60)]
    public void It_fits_into_a_terminal_that_is_not_high(int height)
    {
        var (console, text) = Console();
        console.Profile.Width = 80;
        console.Profile.Height = height;
        using var sink = new LiveSink(console);
        for (int step = 1; step <= 40; step++)
            sink.Step(
                Reports.Step(step, 9 - (step / 10.0)) with
                {
                    Phase = "broad",
                    DomainLosses = new Dictionary<string, double> { ["code"] = 2.5 },
                    MemoryParts = new Dictionary<string, long> { ["optimizer"] = 9 << 20 },
                }
            );
        foreach (string source in (string[])["web", "code"])
            sink.Validation(
                new ValidationReport
                {
                    Step = 40,
                    Name = source,
                    Loss = 3.25,
                }
            );
        for (int i = 1; i <= 4; i++)
            sink.Note(new Note(40, "checkpoint-durable", $"note {i}: " + new string('x', 90)));
        console.Write(sink.View());
        string view = text.ToString();
        Assert.InRange(view.TrimEnd().Split('\n').Length, 1, height - 1);
        foreach (string part in (string[])["step 40/500", "phase broad", "code 2.5000", "MFU 18.4%", "web", "note 4"])
            Assert.Contains(part, view);
        Assert.Equal(height == 60, view.Contains("optimizer 9.00 MiB", StringComparison.Ordinal));
    }

    private static (IAnsiConsole Console, StringWriter Text) Console()
    {
        var text = new StringWriter();
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = AnsiSupport.No,
                ColorSystem = ColorSystemSupport.NoColors,
                Out = new AnsiConsoleOutput(text),
            }
        );
        console.Profile.Width = 100;
        console.Profile.Height = 60;
        return (console, text);
    }
}
