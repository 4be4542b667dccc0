using Uniscale.Configuration;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Search;

namespace Uniscale.Planning.Tests.Search;

public class NearestLayoutTests
{
    private static readonly RunConfiguration Config = new()
    {
        Model = new ModelSection { Layers = 6, Hidden = 256, Heads = 4, Context = 512, Vocabulary = 1024 },
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
        var much = NearestLayout.Of(Config, 2, 0.55 * now, BytesOf)!;
        Assert.True(much.Settings.Count > 1 && much.Bytes <= 0.55 * now, string.Join(' ', much.Settings));
    }

    [Fact]
    public void Nothing_fits_into_nothing() => Assert.Null(NearestLayout.Of(Config, 2, 1e6, BytesOf));
}
