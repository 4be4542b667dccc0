using Uniscale.Configuration;

namespace Uniscale.Programs.Tests.Specification;

public class SpecificationBuilderTests
{
    private static readonly RunConfiguration Config = new()
    {
        Model = new ModelSection
        {
            Layers = 4,
            Hidden = 96,
            Heads = 4,
            Vocabulary = 1000,
        },
        Batch = new BatchSection { Global = 32 },
    };

    [Fact]
    public void DataAxisFollowsTheRanks()
    {
        var spec = SpecificationBuilder.Build(
            Config with
            {
                Parallel = new()
                {
                    Tensor = 2,
                    Pipeline = 2,
                    Zero = new() { Stage = 1 },
                },
            },
            ranks: 8
        );
        Assert.Equal(8, spec.Mesh.Size);
        Assert.Equal(2, spec.Mesh.Data);
        Assert.Equal(2, spec.ZeroGroup);
        Assert.Equal((8, 2), (spec.Microbatches, spec.MicrobatchSize));
        Assert.Equal((4, 24, 256), (spec.Model.KvHeads, spec.Model.HeadDim, spec.Model.Ffn));
    }

    [Fact]
    public void OneRankTakesItsShareAtOnce() =>
        Assert.Equal((1, 32), (SpecificationBuilder.Build(Config, 1).Microbatches, SpecificationBuilder.Build(Config, 1).MicrobatchSize));

    [Theory]
    [InlineData(3, 2, 0, "start 4 ranks")]
    [InlineData(3, 2, 1, "start 2 ranks")]
    [InlineData(4, 1, 3, "parallel.data to 4")]
    [InlineData(5, 1, 0, "batch.global to 35")]
    public void RefusalsSayWhatToChange(int ranks, int tensor, int data, string hint)
    {
        var refused = Assert.Throws<UserErrorException>(() =>
            SpecificationBuilder.Build(
                Config with
                {
                    Parallel = new() { Tensor = tensor, Data = data },
                },
                ranks
            )
        );
        Assert.Contains(hint, refused.Message);
    }
}
