using System.Text.Json;
using Uniscale.Telemetry.Sinks;

namespace Uniscale.Telemetry.Tests.Sinks;

public sealed class MetricsSinkTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-metrics-").FullName;

    private string File => Path.Combine(_folder, "run", "metrics.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Records_are_json_lines_with_kind_and_step()
    {
        using (var sink = new MetricsSink(File, 0))
        {
            sink.Start(Reports.Start());
            sink.Step(Reports.Step(1) with { Parts = new Dictionary<string, double> { ["forward"] = 0.5 } });
            sink.Step(Reports.Step(2, double.NaN));
            sink.Validation(
                new ValidationReport
                {
                    Step = 2,
                    Name = "web",
                    Loss = 2,
                }
            );
            sink.Note(new Note(2, "checkpoint-durable", "step 2 is on disk"));
            sink.End(new RunEnd(2, true, "done", TimeSpan.FromSeconds(9)));
        }
        var records = Read();
        Assert.Equal(
            ["start", "step", "step", "validation", "note", "end"],
            records.Select(record => record.GetProperty("kind").GetString()!)
        );
        Assert.Equal([0, 1, 2, 2, 2, 2], records.Select(record => record.GetProperty("step").GetInt64()));
        Assert.Equal(7.1234, records[1].GetProperty("loss").GetDouble());
        Assert.Equal(0.5, records[1].GetProperty("parts").GetProperty("forward").GetDouble());
        Assert.Equal(980, records[1].GetProperty("remaining").GetDouble());
        Assert.Equal("NaN", records[2].GetProperty("loss").GetString());
        Assert.Equal("checkpoint-durable", records[4].GetProperty("note").GetString());
        Assert.Equal(9, records[5].GetProperty("elapsed").GetDouble());
    }

    [Fact]
    public void A_run_that_went_back_has_each_step_once()
    {
        using (var sink = new MetricsSink(File, 0))
        {
            sink.Start(Reports.Start());
            for (int step = 1; step <= 4; step++)
                sink.Step(Reports.Step(step));
            sink.WentBack(2);
            sink.Step(Reports.Step(3, 5));
            sink.WentBack(0);
            sink.Step(Reports.Step(1, 6));
        }
        Assert.Equal(["start", "step"], Read().Select(record => record.GetProperty("kind").GetString()!));
        Assert.Equal(6, Read()[1].GetProperty("loss").GetDouble());
    }

    [Fact]
    public void A_resumed_run_has_each_step_once()
    {
        using (var sink = new MetricsSink(File, 0))
            for (int step = 1; step <= 5; step++)
                sink.Step(Reports.Step(step, step));
        System.IO.File.AppendAllText(File, "{\"kind\":\"step\",\"step\":6,\"lo");

        using (var sink = new MetricsSink(File, 3))
            for (int step = 4; step <= 6; step++)
                sink.Step(Reports.Step(step, 10 * step));

        Assert.Equal(
            [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50), (6, 60)],
            Read().Select(record => (record.GetProperty("step").GetInt64(), record.GetProperty("loss").GetDouble()))
        );
    }

    [Fact]
    public void A_new_run_begins_anew()
    {
        using (var sink = new MetricsSink(File, 0))
            sink.Step(Reports.Step(1));
        using (var sink = new MetricsSink(File, 0))
            sink.Step(Reports.Step(1, 5));
        Assert.Equal(5, Assert.Single(Read()).GetProperty("loss").GetDouble());
    }

    private JsonElement[] Read() => [.. System.IO.File.ReadLines(File).Select(line => JsonDocument.Parse(line).RootElement)];
}
