using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Tests.Support;
using Uniscale.Programs;

namespace Uniscale.Engine.Tests.Parallel;

public sealed class ShardingPlanTests
{
    [Theory]
    [InlineData("gpt2", 1)]
    [InlineData("llama", 2)]
    [InlineData("internlm2", 4)]
    public void OwnersTogetherHoldEveryElementOnce(string preset, int size)
    {
        var model = Presets.Small(preset);
        var shape = ModelShapes.Of(model, Presets.Vocabulary);
        foreach (var spec in Transformer.Blocks(model, Presets.Vocabulary).SelectMany(b => b.Parameters))
        {
            var covered = new HashSet<(long, long)>();
            var parts = Enumerable.Range(0, size).Select(rank => new ShardingPlan(shape, size, rank).Local(spec)).ToList();
            foreach (var part in parts.Where(p => p.IsOwner))
                foreach (var element in Elements(part))
                    Assert.True(covered.Add(element), $"{spec.Name} holds element {element} twice");
            Assert.Equal(spec.Shape.Aggregate(1L, (a, b) => a * b), covered.Count);
            Assert.Equal(size, parts.Where(p => p.IsOwner).Sum(p => p.Replicas));
        }
    }

    [Fact]
    public void VocabularyIsPaddedToAMultipleOfTheAxis()
    {
        var shape = ModelShapes.Of(Presets.Small("llama"), Presets.Vocabulary);
        var spec = Transformer.Blocks(Presets.Small("llama"), Presets.Vocabulary)[0].Parameters[0];
        var last = new ShardingPlan(shape, 4, 3).Local(spec);
        Assert.Equal(14, last.Shape[0]);
        Assert.Equal(42, last.Offset[0]);
        Assert.Equal(11, last.Extent[0]);
    }

    [Theory]
    [InlineData(4, 4, 64, 3, "model.heads")]
    [InlineData(12, 4, 64, 6, "model.kv_heads")]
    [InlineData(4, 4, 30, 4, "model.ffn")]
    [InlineData(64, 64, 64, 32, "vocabulary")]
    public void ImpossibleSplitsAreRefusedByName(int heads, int kvHeads, int ffn, int size, string named)
    {
        var shape = new ModelShape(1, 64, heads, kvHeads, 8, ffn, Presets.Vocabulary, 16, true, false);
        var error = Assert.Throws<UserErrorException>(() => new ShardingPlan(shape, size));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<(long, long)> Elements(LocalParameter part)
    {
        long columns = part.Extent.Length > 1 ? part.Extent[1] : 1;
        long firstColumn = part.Offset.Length > 1 ? part.Offset[1] : 0;
        for (long row = 0; row < part.Extent[0]; row++)
            for (long column = 0; column < columns; column++)
                yield return (part.Offset[0] + row, firstColumn + column);
    }
}
