using Uniscale.Engine.Decoding;
using Uniscale.Engine.Model;
using Uniscale.Engine.Tests.Goldens;
using Uniscale.Engine.Tests.Support;
using Uniscale.Kernels.Tests.Support;
using static TorchSharp.torch;
namespace Uniscale.Engine.Tests.Model;

public sealed class DecoderTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("internlm2")]
    public void EveryPositionHasTheLogitsOfTheWholeSequence(string preset)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        var blocks = Transformer.Blocks(Presets.Small(preset), Presets.Vocabulary);
        var parameters = blocks.SelectMany(b => b.Parameters).DistinctBy(p => p.Name)
            .ToDictionary(p => p.Name, p => golden[$"weight/{p.Name}"].to(float32));
        int[] tokens = [.. golden["tokens"][0].data<long>().ToArray().Select(t => (int)t)];
        using var decoder = new Decoder(blocks, block => [.. block.Parameters.Select(p => parameters[p.Name])], tokens.Length);

        Check(decoder.Read(tokens.AsSpan(0, 5)), 4);
        for (int i = 5; i < tokens.Length; i++)
            Check(decoder.Read(tokens[i]), i);
        decoder.Truncate(3);
        Check(decoder.Read(tokens.AsSpan(3, 8)), 10);
        Assert.Equal(11, decoder.Length);

        void Check(Tensor logits, int position) =>
            Closeness.AssertClose($"logits at {position}", logits, golden["fp32/logits"][0][position], 1e-5);
    }

    [Fact]
    public void AFullCacheSaysSo()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("llama");
        var blocks = Transformer.Blocks(Presets.Small("llama"), Presets.Vocabulary);
        using var decoder = new Decoder(blocks, block => [.. block.Parameters.Select(p => golden[$"weight/{p.Name}"].to(float32))], capacity: 4);
        decoder.Read(1, 2, 3);
        Assert.Contains("cache of 4", Assert.Throws<InvalidOperationException>(() => decoder.Read(4, 5)).Message, StringComparison.Ordinal);
    }
}
