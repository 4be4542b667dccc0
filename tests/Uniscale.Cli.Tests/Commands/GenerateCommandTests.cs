using System.Runtime.InteropServices;
using System.Text.Json;
using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>
/// Generation with a model whose next token is known: all weights are made so that one row of the head wins whatever was read.
/// </summary>
public sealed class GenerateCommandTests : IDisposable
{
    private const int Padded = 400;

    private readonly TemporaryFolder _folder = new();
    private readonly Tokenizer _tokenizer;

    public GenerateCommandTests()
    {
        Directory.CreateDirectory(In("raw"));
        File.WriteAllText(
            In("raw/a.txt"),
            string.Join('\n', Enumerable.Range(0, 400).Select(line => $"This program adds {line % 13} words and adds them again."))
        );
        CommandRun.Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store"));
        CommandRun.Ok("tokenizer", "train", In("store"), "--vocabulary", "300", "--out", In("t.model"), "--threads", "1");
        _tokenizer = Tokenizer.Load(In("t.model"));
    }

    public void Dispose()
    {
        _tokenizer.Dispose();
        _folder.Dispose();
    }

    private string In(string path) => _folder.In(path);

    /// <summary>A run whose model gives each token a logit of its own, always the same.</summary>
    private string Run(Func<int, float> logit)
    {
        var configuration = ConfigurationLoader.Parse(
            "",
            [
                "train.steps=1",
                "model.layers=1",
                "model.hidden=8",
                "model.heads=2",
                "model.ffn=16",
                "model.context=32",
                $"model.vocabulary={Padded}",
                ConfigurationLoader.Override("data.tokenizer", In("t.model")),
            ]
        );
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(In("run/checkpoints"), world);
        var pins = new List<GCHandle>();
        StateSlice Slice(ParameterSpec parameter)
        {
            long count = parameter.Shape.Aggregate(1L, (a, b) => a * b);
            float[] values =
            [
                .. Enumerable
                    .Range(0, (int)count)
                    .Select(i =>
                        parameter.Name switch
                        {
                            "embedding.tokens.weight" or "head.norm.weight" => 1f,
                            "head.output.weight" => logit(i / 8) / 8,
                            _ => 0f,
                        }
                    ),
            ];
            pins.Add(GCHandle.Alloc(values, GCHandleType.Pinned));
            return new StateSlice(
                parameter.Name,
                ElementType.Float32,
                parameter.Shape,
                new long[parameter.Shape.Length],
                parameter.Shape,
                pins[^1].AddrOfPinnedObject()
            );
        }
        var slices = Transformer.Blocks(configuration.Value.Model, Padded).SelectMany(block => block.Parameters).Select(Slice).ToArray();
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
        return In("run");
    }

    [Fact]
    public void ThePieceBehindThePromptKeepsItsSpace()
    {
        int adds = _tokenizer.IdOf("\u2581adds");
        Assert.NotEqual(_tokenizer.UnknownId, adds);
        string run = Run(id => id == adds ? 10 : 0);
        Assert.Equal(
            "This program adds adds\n",
            CommandRun.Ok("generate", run, "--prompt", "This program", "--tokens", "2", "--temperature", "0")
        );
        Assert.Equal("adds adds\n", CommandRun.Ok("generate", run, "--tokens", "2", "--temperature", "0", "--precision", "bf16"));
    }

    [Fact]
    public void ReadingGeneratingAndAnsweringAreTimed()
    {
        string run = Run(_ => 0);
        string[] work = ["--prompt", "8", "--tokens", "4", "--questions", "3", "--rounds", "2", "--threads", "1"];
        string output = CommandRun.Ok(["benchmark", "inference", run, "--batch", "1,2", .. work, "--json"]);
        var measured = JsonDocument.Parse(output).RootElement.GetProperty("measurements").EnumerateArray().ToList();
        Assert.Equal(
            [("prompt", 8), ("generation", 4), ("exam", 3), ("prompt", 16), ("generation", 8), ("exam", 3)],
            measured.Select(part => (part.GetProperty("name").GetString()!, part.GetProperty("count").GetInt32()))
        );
        Assert.All(measured, part => Assert.True(part.GetProperty("rate").GetDouble() > 0));
        Assert.Contains("questions/s", CommandRun.Ok(["benchmark", "inference", run, "--batch", "2", .. work, "--precision", "bf16"]));
        var mistakes = new[] { ("--batch", "1,x", "--batch has 'x'"), ("--prompt", "30", "do not fit the model's context of 32") };
        foreach (var (option, value, expected) in mistakes)
        {
            var (code, _, error) = CommandRun.Of(["benchmark", "inference", run, "--tokens", "4", option, value]);
            Assert.Equal((2, true), (code, error.Contains(expected, StringComparison.Ordinal)));
        }
    }

    /// <summary>Ids beyond the tokenizer, and control tokens but the end of a document, have no text.</summary>
    [Fact]
    public void WhatHasNoTextIsNeverDrawn()
    {
        int adds = _tokenizer.IdOf("\u2581adds");
        string run = Run(id =>
            id >= _tokenizer.Size || id == _tokenizer.UnknownId || id == _tokenizer.BeginId ? 1000
            : id == adds ? 10
            : id == _tokenizer.EndId ? -50
            : 0
        );
        Assert.Equal("x adds adds adds\n", CommandRun.Ok("generate", run, "--prompt", "x", "--tokens", "3", "--temperature", "0"));
        Assert.StartsWith(
            "x",
            CommandRun.Ok("generate", run, "--prompt", "x", "--tokens", "50", "--temperature", "5", "--top-p", "1"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TheEndOfADocumentEndsTheText() =>
        Assert.Equal("x\n", CommandRun.Ok("generate", Run(id => id == _tokenizer.EndId ? 10 : 0), "--prompt", "x", "--temperature", "0"));

    /// <summary>Each line has its own length, seed and stop; results come in the order of the file, whatever the batch.</summary>
    [Fact]
    public void AFileOfPromptsIsContinuedLineByLine()
    {
        int adds = _tokenizer.IdOf("\u2581adds");
        string run = Run(id => id == adds ? 8 : 0),
            file = In("prompts.jsonl");
        File.WriteAllText(
            file,
            """
            {"prompt": "This program", "tokens": 3}

            {"prompt": "x", "seed": 9}
            {"prompt": "x", "seed": 9, "stop": [" adds adds"]}
            {"prompt": ""}
            """
        );
        string one = CommandRun.Ok("generate", run, "--prompts", file, "--tokens", "24", "--batch", "1");
        Assert.Equal(one, CommandRun.Ok("generate", run, "--prompts", file, "--tokens", "24", "--batch", "3"));
        var lines = one.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement)
            .ToList();
        Assert.Equal(["This program", "x", "x", ""], lines.Select(line => line.GetProperty("prompt").GetString()));
        Assert.Equal(3, lines[0].GetProperty("tokens").GetInt32());
        Assert.Equal("length", lines[1].GetProperty("finish_reason").GetString());
        string whole = lines[1].GetProperty("text").GetString()!,
            stopped = lines[2].GetProperty("text").GetString()!;
        Assert.Contains(" adds adds", whole, StringComparison.Ordinal);
        Assert.Equal(whole[..whole.IndexOf(" adds adds", StringComparison.Ordinal)], stopped);
        Assert.Equal("stop", lines[2].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public void WhatIsNoFileOfPromptsIsRefusedInASentence()
    {
        string run = Run(_ => 0),
            file = In("bad.jsonl");
        Assert.Contains("does not exist", CommandRun.Refused("generate", run, "--prompts", file), StringComparison.Ordinal);
        File.WriteAllText(file, "\n");
        Assert.Contains("has no prompts", CommandRun.Refused("generate", run, "--prompts", file), StringComparison.Ordinal);
        File.WriteAllText(file, "{\"prompt\": \"x\"}\n{\"text\": 1}\n");
        Assert.Contains("Line 2 of", CommandRun.Refused("generate", run, "--prompts", file), StringComparison.Ordinal);
        Assert.Contains(
            "give one of them",
            CommandRun.Refused("generate", run, "--prompts", file, "--prompt", "x"),
            StringComparison.Ordinal
        );
        Assert.Contains("--stop", CommandRun.Refused("generate", run, "--prompt", "x", "--stop", ""), StringComparison.Ordinal);
        Assert.Contains(
            "--batch is 0",
            CommandRun.Refused("generate", run, "--prompts", In("good.jsonl", "{\"prompt\": \"x\"}"), "--batch", "0"),
            StringComparison.Ordinal
        );
    }

    private string In(string path, string text)
    {
        File.WriteAllText(In(path), text);
        return In(path);
    }

    /// <summary>A stored configuration that asks for more than the checkpoint has takes no memory for it.</summary>
    [Fact]
    public void AConfigurationOfAnotherModelIsRefused()
    {
        string run = Run(_ => 0);
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(In("other/checkpoints"), world);
        var read = Uniscale.Checkpoints.Loading.CheckpointReader.Open(Path.Combine(run, "checkpoints/step-00000001")).Manifest;
        float[] values = new float[8];
        var pin = GCHandle.Alloc(values, GCHandleType.Pinned);
        store.Save(
            new CheckpointState
            {
                Step = 1,
                ConsumedTokens = 1,
                ConfigurationYaml = read
                    .ConfigurationYaml.Replace("hidden: 8", "hidden: 16777216", StringComparison.Ordinal)
                    .Replace($"vocabulary: {Padded}", "vocabulary: 67108864", StringComparison.Ordinal),
                Slices = [new StateSlice("embedding.tokens.weight", ElementType.Float32, [8], [0], [8], pin.AddrOfPinnedObject())],
            }
        );
        pin.Free();
        Assert.Contains(
            "tensor 'embedding.tokens.weight' has another shape",
            CommandRun.Refused("generate", In("other"), "--prompt", "x"),
            StringComparison.Ordinal
        );
    }
}
