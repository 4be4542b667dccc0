using Uniscale.Telemetry.TensorBoard;

namespace Uniscale.Telemetry.Tests.TensorBoard;

public sealed class TensorBoardSinkTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("uniscale-tensorboard-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void The_checksum_of_the_reader_is_the_published_one() => Assert.Equal(0xE3069283u, EventReader.Checksum("123456789"u8));

    [Fact]
    public void Another_reader_finds_every_scalar()
    {
        using (var sink = new TensorBoardSink(folder, resumedStep: 300))
        {
            sink.Step(Reports.Step(301) with { Parts = new Dictionary<string, double> { ["forward"] = 0.5 } });
            sink.Validation(new ValidationReport { Step = 301, Name = "books", Loss = 2.5, BitsPerByte = 1.1 });
        }
        var file = Assert.Single(Directory.GetFiles(folder));
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
        Assert.Equal([("validation/books/loss", 2.5f), ("validation/books/bits_per_byte", 1.1f)], events[3].Scalars);
    }

    [Fact]
    public void Two_files_of_one_second_do_not_meet()
    {
        using var first = new EventFile(folder);
        using var second = new EventFile(folder);
        Assert.NotEqual(first.FilePath, second.FilePath);
    }
}
