using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Cli.Tests;

/// <summary>
/// A run whose model says the token " B" whatever stands before it, with a corpus (<c>raw</c>, <c>store</c>) and a tokenizer
/// (<c>t.model</c>).
/// </summary>
internal static class ConstantModel
{
    /// <summary>Makes it; the folder of the run.</summary>
    public static string Make(TemporaryFolder folder)
    {
        Directory.CreateDirectory(folder.In("raw"));
        File.WriteAllText(
            folder.In("raw/a.txt"),
            string.Join('\n', Enumerable.Range(0, 400).Select(line => $"The answer is A or B or C or D, {line % 13} times. Answer: B"))
        );
        CommandRun.Ok("data", "import", folder.In("raw"), "--domain", "books", "--out", folder.In("store"));
        CommandRun.Ok("tokenizer", "train", folder.In("store"), "--vocabulary", "320", "--out", folder.In("t.model"), "--threads", "1");
        using var tokenizer = Tokenizer.Load(folder.In("t.model"));
        int b = tokenizer.IdOf("\u2581B");
        Assert.NotEqual(tokenizer.UnknownId, b);
        var configuration = ConfigurationLoader.Parse(
            "",
            [
                "train.steps=1",
                "model.layers=1",
                "model.hidden=8",
                "model.heads=2",
                "model.ffn=16",
                "model.context=64",
                $"model.vocabulary={tokenizer.Size}",
                ConfigurationLoader.Override("data.tokenizer", folder.In("t.model")),
            ]
        );
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(folder.In("run/checkpoints"), world);
        var pins = new List<System.Runtime.InteropServices.GCHandle>();
        StateSlice Slice(ParameterSpec parameter)
        {
            float[] values =
            [
                .. Enumerable
                    .Range(0, (int)parameter.Shape.Aggregate(1L, (x, y) => x * y))
                    .Select(i =>
                        parameter.Name switch
                        {
                            "embedding.tokens.weight" or "head.norm.weight" => 1f,
                            "head.output.weight" => i / 8 == b ? 1f : 0f,
                            _ => 0f,
                        }
                    ),
            ];
            pins.Add(System.Runtime.InteropServices.GCHandle.Alloc(values, System.Runtime.InteropServices.GCHandleType.Pinned));
            return new StateSlice(
                parameter.Name,
                ElementType.Float32,
                parameter.Shape,
                new long[parameter.Shape.Length],
                parameter.Shape,
                pins[^1].AddrOfPinnedObject()
            );
        }
        var slices = Transformer
            .Blocks(configuration.Value.Model, tokenizer.Size)
            .SelectMany(block => block.Parameters)
            .Select(Slice)
            .ToArray();
        store.Save(
            new CheckpointState
            {
                Step = 1,
                ConsumedTokens = 1,
                ConfigurationYaml = configuration.ToYaml(),
                Slices = slices,
            }
        );
        pins.ForEach(pin => pin.Free());
        return folder.In("run");
    }
}
