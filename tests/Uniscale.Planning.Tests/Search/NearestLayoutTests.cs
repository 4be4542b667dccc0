using Uniscale.Configuration;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Search;

namespace Uniscale.Planning.Tests.Search;

public class NearestLayoutTests
{
    private static readonly RunConfiguration Config = new()
    {
        Model = new ModelSection
        {
            Layers = 6,
            Hidden = 256,
            Heads = 4,
            Context = 512,
            Vocabulary = 1024,
        },
        Batch = new BatchSection { Global = 16, Micro = 8 },
        Parallel = new ParallelSection { Data = 2 },
    };

    private static double BytesOf(RunConfiguration config) =>
        new HostAccount(SpecificationBuilder.Build(config, 2), HostAccount.Uncalibrated, config.Checkpoint.Async, threads: true).Of(0, 2);

    /// <summary>One setting is enough for a little, and of those that are the one that saves least is taken.</summary>
    [Fact]
    public void The_fewest_settings_are_changed()
    {
        double now = BytesOf(Config);
        var little = NearestLayout.Of(Config, 2, 0.99 * now, BytesOf)!;
        Assert.Single(little.Settings);
        Assert.InRange(little.Bytes, 0.5 * now, 0.99 * now);
        var fitting = Enumerable
            .Range(5, 14)
            .Select(twentieths => (Limit: twentieths / 20.0 * now, Found: NearestLayout.Of(Config, 2, twentieths / 20.0 * now, BytesOf)))
            .Where(at => at.Found is not null)
            .ToArray();
        Assert.All(fitting, at => Assert.True(at.Found!.Bytes <= at.Limit));
        int[] counts = [.. fitting.Select(at => at.Found!.Settings.Count)];
        Assert.Equal(counts.OrderDescending(), counts);
        Assert.True(counts[0] > 1, string.Join(' ', fitting[0].Found!.Settings));
    }

    /// <summary>A step of a million microbatches is no proposal, and would take minutes to lay out.</summary>
    [Fact]
    public void Steps_of_very_many_microbatches_are_not_tried()
    {
        const int Sequences = 1 << 20;
        var huge = Config with { Batch = new BatchSection { Global = Sequences, Micro = Sequences }, Parallel = new ParallelSection() };
        var tried = new List<int>();
        Assert.Null(
            NearestLayout.Of(
                huge,
                1,
                1,
                config =>
                {
                    tried.Add(Sequences / config.Batch.Micro);
                    return 2;
                }
            )
        );
        Assert.Equal(1024, tried.Max());
    }

    [Fact]
    public void Nothing_fits_into_nothing() => Assert.Null(NearestLayout.Of(Config, 2, 1e6, BytesOf));
}
