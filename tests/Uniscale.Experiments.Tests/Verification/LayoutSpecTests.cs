using Uniscale.Configuration;
using Uniscale.Experiments.Verification;

namespace Uniscale.Experiments.Tests.Verification;

public sealed class LayoutSpecTests
{
    [Fact]
    public void AShortFormNamesEveryPartOfALayout()
    {
        var layout = LayoutSpec.Parse("tp2 sp pp2 dp4 cp1 zero3 group2 interleaved recompute-every3");
        Assert.Equal(16, layout.Ranks);
        var order = layout.Parallel.Order;
        Assert.Equal(
            new ParallelSection
            {
                Order = order,
                Tensor = 2,
                Sequence = true,
                Pipeline = 2,
                Data = 4,
                Zero = new() { Stage = 3, Group = 2 },
                Schedule = "interleaved-1f1b",
                Chunks = 2,
                Recompute = RecomputeKind.EveryKth,
                RecomputeEvery = 3,
            },
            layout.Parallel
        );
    }

    [Theory]
    [InlineData("gpipe", "gpipe")]
    [InlineData("1f1b", "1f1b")]
    [InlineData("zb", "zero-bubble")]
    public void SchedulesHaveShortNames(string word, string schedule) =>
        Assert.Equal(schedule, LayoutSpec.Parse($"pp2 {word}").Parallel.Schedule);

    [Fact]
    public void WordsOfTheModelMakeAVariantThatOneRankIsRunOnToo()
    {
        var layout = LayoutSpec.Parse("tied pp2 mask");
        Assert.Equal("mask tied", layout.Variant);
        var model = layout.ModelOf(new ModelSection());
        Assert.True(model is { TiedEmbeddings: true, DocumentMask: true });
        Assert.Equal(
            layout.Parallel with
            {
                Pipeline = 1,
            },
            LayoutSpec.Parse(layout.Variant).Parallel with
            {
                Order = layout.Parallel.Order,
            }
        );
    }

    [Fact]
    public void AnUnknownWordIsRefusedByName() =>
        Assert.Contains("'pq2'", Assert.Throws<UserErrorException>(() => LayoutSpec.Parse("dp2 pq2")).Message);

    [Fact]
    public void TheCatalogueHasAtLeastFortyDifferentLayoutsOfAtMostEightRanks()
    {
        Assert.True(LayoutCatalogue.All.Distinct().Count() >= 40);
        Assert.All(LayoutCatalogue.All, text => Assert.InRange(LayoutSpec.Parse(text).Ranks, 1, 8));
    }
}
