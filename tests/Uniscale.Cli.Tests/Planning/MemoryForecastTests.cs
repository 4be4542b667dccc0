using Uniscale.Cli.Planning;
using Uniscale.Configuration;

namespace Uniscale.Cli.Tests.Planning;

public class MemoryForecastTests
{
    // 4 layers with 2 heads of keys of 64, in fp32: 4,096 bytes a token. Four texts of 8,192 tokens are read at a time.
    [Theory]
    [InlineData("model.context=8192", (4 + 2) * 8192)]
    [InlineData("model.context=512", (16 + 2) * 512)]
    public void NeedleTestsBetweenStepsHaveTheirKeysAndValues(string context, long tokens)
    {
        double Bytes(string tasks) =>
            MemoryForecast.Of(Config(context, $"evaluation.tasks=[{tasks}]"), 2, threads: true)!.BytesOfProcess(0);
        Assert.Equal(2 * tokens * 4096, Bytes("needle") - Bytes(""), 1.0);
    }

    private static RunConfiguration Config(params string[] settings) =>
        ConfigurationLoader.Parse(
            """
            name: forecast
            run_directory: runs/forecast
            model: { layers: 4, hidden: 256, heads: 4, kv_heads: 2, ffn: 512, context: 512, vocabulary: 2048 }
            data: { tokenizer: t.model, sources: [{ name: text, shards: [text.train] }] }
            batch: { global: 2, micro: 1 }
            parallel: { context: 2 }
            train: { steps: 1, precision: fp32 }
            """,
            settings
        ).Value;
}
