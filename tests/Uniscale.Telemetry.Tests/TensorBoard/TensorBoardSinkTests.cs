using Uniscale.Telemetry.TensorBoard;

namespace Uniscale.Telemetry.Tests.TensorBoard;

public sealed class TensorBoardSinkTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-tensorboard-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_checksum_of_the_reader_is_the_published_one() => Assert.Equal(0xE3069283u, EventReader.Checksum("123456789"u8));

    [Fact]
    public void Another_reader_finds_every_scalar()
    {
        using (var sink = new TensorBoardSink(_folder, resumedStep: 300))
        {
            sink.Step(
                Reports.Step(301) with
                {
                    Parts = new Dictionary<string, double> { ["forward"] = 0.5 },
                    MemoryParts = new Dictionary<string, long> { ["optimizer"] = 64 },
                    DomainLosses = new Dictionary<string, double> { ["code"] = 2.5 },
                    MixtureFed = new Dictionary<string, double> { ["github"] = 0.25 },
                    MixturePlanned = new Dictionary<string, double> { ["github"] = 0.5 },
                }
            );
            sink.Validation(
                new ValidationReport
                {
                    Step = 301,
                    Name = "books",
                    Loss = 2.5,
                    BitsPerByte = 1.1,
                }
            );
        }
        string file = Assert.Single(Directory.GetFiles(_folder));
        Assert.StartsWith("events.out.tfevents.", Path.GetFileName(file));
        var events = EventReader.Read(file);

        Assert.Equal("brain.Event:2", events[0].FileVersion);
        Assert.Equal((true, 301), (events[1].SessionStart, events[1].Step));
        Assert.Equal(301, events[2].Step);
        Assert.InRange(events[2].WallTime, 1.7e9, 1e11);
        Assert.Contains(("train/loss", 7.1234f), events[2].Scalars);
        Assert.Contains(("train/learning_rate", 3e-4f), events[2].Scalars);
        Assert.Contains(("throughput/mfu", 0.18432f), events[2].Scalars);
        Assert.Contains(("time/forward_seconds", 0.5f), events[2].Scalars);
        Assert.Contains(("memory/optimizer_bytes", 64f), events[2].Scalars);
        Assert.Contains(("train/loss/code", 2.5f), events[2].Scalars);
        Assert.Contains(("mixture/fed/github", 0.25f), events[2].Scalars);
        Assert.Contains(("mixture/planned/github", 0.5f), events[2].Scalars);
        Assert.Equal([("validation/books/loss", 2.5f), ("validation/books/bits_per_byte", 1.1f)], events[3].Scalars);
    }

    [Fact]
    public void Another_reader_finds_a_histogram_and_what_is_in_no_bin()
    {
        var values = new ValueHistogram();
        values.Add([-1.5f, 0.25f, 0.26f, 3, float.NaN]);
        using (var sink = new TensorBoardSink(_folder, resumedStep: 0))
        {
            sink.Histogram(new HistogramReport(7, "gradients/head", values));
            sink.Histogram(new HistogramReport(7, "gradients/embedding", new ValueHistogram()));
        }
        var events = EventReader.Read(Assert.Single(Directory.GetFiles(_folder)));
        var read = Assert.Single(events[2].Histograms);
        Assert.Equal((7, "gradients/head"), (events[2].Step, read.Tag));
        Assert.Equal([-1.5, 3, 4, -1.5 + 0.25 + 0.26f + 3, values.SumOfSquares], read.Figures);
        Assert.Equal([-1.5, 0.25, 0.3125, 3, 3.5], read.UpTo);
        Assert.Equal([1, 0, 2, 0, 1], read.Counts);
        Assert.Equal([("gradients/head/not_finite", 1f)], events[3].Scalars);
        Assert.Equal([0.0], Assert.Single(events[4].Histograms).Counts);
    }

    /// <summary>Steps that are done again after a resumption or a rollback stand there once, in whatever order files are read.</summary>
    [Fact]
    public void A_step_stands_once_in_all_files_together()
    {
        void Steps(TensorBoardSink sink, int first, int last)
        {
            for (int step = first; step <= last; step++)
                sink.Step(Reports.Step(step));
        }
        using (var sink = new TensorBoardSink(_folder, resumedStep: 0))
            Steps(sink, 1, 10);
        // Killed while it wrote.
        string first = Assert.Single(Directory.GetFiles(_folder));
        File.WriteAllBytes(first, File.ReadAllBytes(first)[..^7]);
        using (var sink = new TensorBoardSink(_folder, resumedStep: 6))
        {
            Steps(sink, 7, 12);
            sink.WentBack(8);
            Steps(sink, 9, 11);
        }
        var steps = Directory
            .GetFiles(_folder, "events.out.tfevents.*")
            .SelectMany(EventReader.Read)
            .Where(entry => entry.Scalars.Count > 0)
            .Select(entry => entry.Step);
        Assert.Equal(Enumerable.Range(1, 11).Select(step => (long)step), steps.Order());
        Assert.Equal(3, Directory.GetFiles(_folder).Length);

        new TensorBoardSink(_folder, resumedStep: 0).Dispose();
        Assert.DoesNotContain(Directory.GetFiles(_folder).SelectMany(EventReader.Read), entry => entry.Scalars.Count > 0);
    }

    [Fact]
    public void A_sample_is_a_text_under_its_name()
    {
        using (var sink = new TensorBoardSink(_folder, resumedStep: 0))
            sink.Sample(new TextSample(1, "fed/broad", "Once upon a time"));
        byte[] bytes = File.ReadAllBytes(Assert.Single(Directory.GetFiles(_folder)));
        foreach (string part in (string[])["samples/fed/broad", "Once upon a time", "text"])
            Assert.True(bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(part)) > 0, part);
    }

    [Fact]
    public void Two_files_of_one_second_do_not_meet()
    {
        using var first = new EventFile(_folder);
        using var second = new EventFile(_folder);
        Assert.NotEqual(first.FilePath, second.FilePath);
    }
}
