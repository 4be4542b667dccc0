using System.CommandLine;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Gguf;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Cli.Curricula;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;
using Uniscale.Programs.Memory;
using Uniscale.Training.Ownership;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale export</c> and <c>uniscale import</c>: models of Llama's kind as Hugging Face keeps them, and back.</summary>
internal static class HuggingFaceCommands
{
    public static Command Export()
    {
        var run = new Argument<string>("RUN") { Description = "Folder of a run, its checkpoints directory, or one checkpoint (step-…)." };
        var to = new Option<string>("--to")
        {
            Description = "Folder that receives the model; with --format gguf, the file.",
            Required = true,
        };
        var format = new Option<string>("--format")
        {
            Description = "llama, internlm2 or internlm: a folder as Hugging Face has it; gguf: one file as llama.cpp reads it.",
            DefaultValueFactory = _ => "llama",
        };
        format.AcceptOnlyFromAmong("llama", LlamaConfig.InternLm2, LlamaConfig.InternLm, "gguf");
        var type = new Option<GgufType?>("--type")
        {
            Description = "Type of the matrices in a GGUF file: f32, f16 or bf16; default: that of the run's weights.",
        };
        var step = new Option<long?>("--step") { Description = "The checkpoint of this step; default: the newest good one." };
        var shard = new Option<long>("--shard-bytes")
        {
            Description = "Size of a file.",
            DefaultValueFactory = _ => HuggingFaceExport.DefaultShardBytes,
        };
        var tokenizer = new Option<string?>("--tokenizer")
        {
            Description = "Tokenizer of the run, where it is not found.",
            HelpName = "FILE",
        };
        var without = WithoutTokenizer();
        var command = new Command(
            "export",
            "Write a checkpoint's weights as a Hugging Face Llama (safetensors, config.json, tokenizer), or as one GGUF file."
        )
        {
            run,
            to,
            format,
            type,
            step,
            shard,
            tokenizer,
            without,
        };
        command.SetAction(parsed =>
        {
            var (path, target, shardBytes) = (parsed.GetValue(run)!, parsed.GetValue(to)!, parsed.GetValue(shard));
            if (shardBytes < 1)
                throw new UserErrorException($"--shard-bytes {shardBytes} is no size of a file: give 1 or more.");
            var reader = CheckpointInput.Open(path, parsed.GetValue(step));
            bool gguf = parsed.GetValue(format) == "gguf";
            if (!gguf && parsed.GetValue(type) is not null)
                throw new UserErrorException(
                    "--type is for GGUF files alone; a Hugging Face folder has the run's own types: take it out, or add --format gguf."
                );
            if (gguf && (File.Exists(target) || Directory.Exists(target)))
                throw new UserErrorException($"--to {target} is there already: name a file that is to be made.");
            if (HuggingFaceModel.HoldsWeights(target))
                throw new UserErrorException($"--to {target} already holds a model: name a folder that is to be made, or empty it.");
            var configuration = CheckpointInput.ConfigurationOf(reader);
            if (configuration.Model.Head == HeadKind.Score)
                throw new UserErrorException(
                    $"{path} is a reward model, whose head a Hugging Face Llama has no place for: name a run of another objective."
                );
            using var text = parsed.GetValue(without) ? null : TokenizerOf(path, configuration.Data.Tokenizer, parsed.GetValue(tokenizer));
            if (gguf && text is not null && TokenizerFiles.IsJson(text.Path))
                throw new UserErrorException(
                    $"{text.Path} is a byte-level vocabulary, which Uniscale does not write into GGUF files: export the weights alone with --no-tokenizer, or as a folder with --format llama, which llama.cpp's own converter reads."
                );
            var output = parsed.InvocationConfiguration.Output;
            int count = CheckpointInput.Given(() =>
                gguf
                    ? WriteGguf(reader, configuration, target, parsed.GetValue(type), text)
                    : Write(reader, configuration, target, parsed.GetValue(format)!, shardBytes, text)
            );
            output.WriteLine($"{count} tensors of step {reader.Manifest.Step} are in {target}");
            if (text is null)
                output.WriteLine("No tokenizer was written: the run names none, or none was wanted.");
        });
        return command;
    }

    public static Command Import()
    {
        var folder = new Argument<string>("FOLDER")
        {
            Description = "A Hugging Face Llama, InternLM2 or InternLM: config.json, safetensors, tokenizer.model or tokenizer.json.",
        };
        var to = new Option<string>("--to") { Description = "Folder of the run to be made.", Required = true };
        var without = WithoutTokenizer();
        var ignored = new Option<string[]>("--ignore-key")
        {
            Description = "Key of config.json that does not change the model, although Uniscale does not know it (may be given again).",
            HelpName = "KEY",
            DefaultValueFactory = _ => [],
        };
        var command = new Command("import", "Make a run of a Hugging Face Llama, with its weights in fp32 as the checkpoint of step 0.")
        {
            folder,
            to,
            without,
            ignored,
        };
        command.SetAction(parsed =>
        {
            var (source, run) = (parsed.GetValue(folder)!, Path.GetFullPath(parsed.GetValue(to)!));
            if (!Directory.Exists(source))
                throw new UserErrorException($"There is no folder {source}.");
            RefuseFilled(run);
            var config = CheckpointInput.Given(() => LlamaConfig.Read(source, parsed.GetValue(ignored)));
            string? tokenizer = parsed.GetValue(without) ? null : TokenizerOf(source, config);
            var configuration = HuggingFaceModel.Configuration(source, config, Overrides(run, tokenizer));
            bool made = !Directory.Exists(run);
            using var own = RunOwnership.ToTrain(run, Path.Combine(run, "checkpoints"));
            // Another import may have had it until now.
            RefuseFilled(run);
            try
            {
                var output = parsed.InvocationConfiguration.Output;
                var (count, place) = Import(source, run, configuration, config);
                if (tokenizer is not null)
                    TokenizerFiles.Copy(tokenizer, run);
                RunFolder.Write(Path.Combine(run, RunFolder.ConfigurationFile), configuration);
                output.WriteLine($"{count} tensors are in {place}");
                if (tokenizer is null)
                    output.WriteLine("No tokenizer was taken over: name one with data.tokenizer.");
            }
            catch when (Directory.Exists(run))
            {
                // The folder was empty: nothing in it is anybody else's. The owner's file is made again while it is held.
                own.Dispose();
                foreach (var left in new DirectoryInfo(run).EnumerateFileSystemInfos())
                    if (left is DirectoryInfo inner)
                        inner.Delete(recursive: true);
                    else
                        left.Delete();
                if (made)
                    Directory.Delete(run);
                throw;
            }
        });
        return command;
    }

    private static void RefuseFilled(string run)
    {
        if (Directory.Exists(run) && Directory.EnumerateFileSystemEntries(run).Any(entry => !RunOwnership.IsMark(entry)))
            throw new UserErrorException($"{run} is not empty: name a folder that is to be made.");
    }

    private static string? TokenizerOf(string folder, LlamaConfig config)
    {
        try
        {
            return HuggingFaceModel.TokenizerOf(folder, config.VocabSize);
        }
        catch (UserErrorException error)
        {
            throw new UserErrorException($"{error.Message.TrimEnd('.')}; or import the weights alone with --no-tokenizer.", error);
        }
    }

    private static Option<bool> WithoutTokenizer() => new("--no-tokenizer") { Description = "The weights alone." };

    private static int Write(
        CheckpointReader reader,
        RunConfiguration configuration,
        string target,
        string family,
        long shardBytes,
        Tokenizer? tokenizer
    )
    {
        var embedding = reader["embedding.tokens.weight"];
        var model = configuration.ModelAt(reader.Manifest.ConsumedTokens);
        var config = LlamaMapping.AsFamily(
            LlamaMapping.ToTheirs(
                model,
                embedding.Shape[0],
                embedding.Type == ElementType.BFloat16,
                new(tokenizer?.BeginId, tokenizer?.EndId, tokenizer?.PaddingId)
            ),
            family
        );
        Directory.CreateDirectory(target);
        if (tokenizer is not null && TokenizerFiles.IsJson(tokenizer.Path))
            TokenizerFiles.Copy(tokenizer.Path, target);
        else if (tokenizer is not null)
            TokenizerExport.Write(tokenizer.Path, target, model.Context);
        int count = HuggingFaceExport.Write(reader, target, config, shardBytes);
        config.Write(target);
        string card = Path.Combine(target, ReleaseCard.FileName);
        // One that somebody wrote stays.
        if (!File.Exists(card))
            File.WriteAllLines(card, new ReleaseCard(configuration, reader).Lines(Parameters(configuration, reader)));
        return count;
    }

    private static long Parameters(RunConfiguration configuration, CheckpointReader reader) =>
        ParameterCount.OfModel(configuration.Model, (int)reader["embedding.tokens.weight"].Shape[0]);

    private static int WriteGguf(
        CheckpointReader reader,
        RunConfiguration configuration,
        string target,
        GgufType? type,
        Tokenizer? tokenizer
    )
    {
        var model = configuration.ModelAt(reader.Manifest.ConsumedTokens);
        (string, SpecialTokens)? text = tokenizer is null
            ? null
            : (tokenizer.Path, new SpecialTokens(tokenizer.BeginId, tokenizer.EndId, tokenizer.PaddingId));
        if (Path.GetDirectoryName(Path.GetFullPath(target)) is { } folder)
            Directory.CreateDirectory(folder);
        IReadOnlyList<double> plain = [],
            stretched = [];
        if (model.RopeScaling == RopeScalingKind.Llama3)
            (plain, stretched) = (
                new RotaryFrequencies(model.HeadWidth, model.RopeBase).Frequencies,
                new RotaryFrequencies(model.HeadWidth, model.RopeBase, RotaryStretch.Of(model)).Frequencies
            );
        string Describe() => string.Join('\n', new ReleaseCard(configuration, reader).Text(Parameters(configuration, reader)));
        return GgufExport.Write(reader, model, configuration.Name, Describe, target, type, text, [.. plain.Zip(stretched)]);
    }

    private static (int Count, string Place) Import(string source, string run, ResolvedConfiguration configuration, LlamaConfig config)
    {
        using var weights = HuggingFaceModel.Weights(source, run, configuration.Value.Model, config);
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(Path.Combine(run, "checkpoints"), world);
        var result = store.Save(
            new CheckpointState
            {
                Step = 0,
                ConsumedTokens = 0,
                ConfigurationYaml = configuration.ToYaml(),
                ConfigurationHash = configuration.Hash,
                Slices = weights.Slices,
            }
        );
        return result.Status == SaveStatus.Durable
            ? (weights.Slices.Count, result.Path)
            : throw new UserErrorException($"The model could not be saved: {result.Reason}.");
    }

    private static Tokenizer? TokenizerOf(string run, string? configured, string? given)
    {
        if (given is null && configured is null)
            return null;
        return Tokenizer.Load(
            given
                ?? RunTokenizer.Find(run, configured!)
                ?? throw new UserErrorException(
                    $"The tokenizer {configured} of the run is not there; paths in a configuration are relative to the directory that the run was started in: name the file with --tokenizer, or export the weights alone with --no-tokenizer."
                )
        );
    }

    private static IReadOnlyList<string> Overrides(string run, string? tokenizer) =>
        [
            ConfigurationLoader.Override("name", Path.GetFileName(run)),
            ConfigurationLoader.Override("run_directory", run),
            .. tokenizer is null
                ? Array.Empty<string>()
                : [ConfigurationLoader.Override("data.tokenizer", Path.Combine(run, Path.GetFileName(tokenizer)))],
        ];
}
