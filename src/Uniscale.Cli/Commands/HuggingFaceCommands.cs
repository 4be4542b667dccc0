using System.CommandLine;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Loading;
using Uniscale.Cli.HuggingFace;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale export</c> and <c>uniscale import</c>: models of Llama's kind as Hugging Face keeps them, and back.</summary>
internal static class HuggingFaceCommands
{
    private const string TokenizerName = "tokenizer.model";

    public static Command Export()
    {
        var run = new Argument<string>("RUN") { Description = "Folder of a run, its checkpoints directory, or one checkpoint (step-…)." };
        var to = new Option<string>("--to") { Description = "Folder that receives the model.", Required = true };
        var step = new Option<long?>("--step") { Description = "The checkpoint of this step; default: the newest good one." };
        var shard = new Option<long>("--shard-bytes") { Description = "Size of a file.", DefaultValueFactory = _ => HuggingFaceExport.DefaultShardBytes };
        var command = new Command("export", "Write a checkpoint's weights as a Hugging Face Llama: safetensors, config.json, tokenizer.") { run, to, step, shard };
        command.SetAction(parsed =>
        {
            var (path, target) = (parsed.GetValue(run)!, parsed.GetValue(to)!);
            if (!Directory.Exists(path))
                throw new UserErrorException($"There is no folder {path}: name a run's folder, its checkpoints directory or a checkpoint.");
            var reader = CheckpointReader.Open(CheckpointCatalog.Find(path, parsed.GetValue(step)));
            var configuration = ConfigurationLoader.Parse(reader.Manifest.ConfigurationYaml, name: reader.Folder).Value;
            var embedding = reader["embedding.tokens.weight"];
            var config = LlamaMapping.ToTheirs(configuration.ModelAt(reader.Manifest.ConsumedTokens), embedding.Shape[0], embedding.Type == ElementType.BFloat16);
            var count = HuggingFaceExport.Write(reader, target, parsed.GetValue(shard));
            config.Write(target);
            var output = parsed.InvocationConfiguration.Output;
            output.WriteLine($"{count} tensors of step {reader.Manifest.Step} are in {target}");
            if (configuration.Data.Tokenizer is { } tokenizer && File.Exists(tokenizer))
                File.Copy(tokenizer, Path.Combine(target, TokenizerName), overwrite: true);
            else
                output.WriteLine("The run's tokenizer is not here and was not copied.");
        });
        return command;
    }

    public static Command Import()
    {
        var folder = new Argument<string>("FOLDER") { Description = "A Hugging Face Llama: config.json, safetensors, tokenizer.model." };
        var to = new Option<string>("--to") { Description = "Folder of the run to be made.", Required = true };
        var command = new Command("import", "Make a run of a Hugging Face Llama, with its weights in fp32 as the checkpoint of step 0.") { folder, to };
        command.SetAction(parsed =>
        {
            var (source, run) = (parsed.GetValue(folder)!, Path.GetFullPath(parsed.GetValue(to)!));
            if (!Directory.Exists(source))
                throw new UserErrorException($"There is no folder {source}.");
            if (Directory.Exists(run) && Directory.EnumerateFileSystemEntries(run).Any())
                throw new UserErrorException($"{run} is not empty: name a folder that is to be made.");
            var configuration = ConfigurationLoader.Parse("", Overrides(source, run), name: Path.Combine(source, LlamaConfig.FileName));
            using var weights = HuggingFaceImport.Open(source, run);
            using var world = InProcessWorld.Create(1)[0];
            using var store = new CheckpointStore(Path.Combine(run, "checkpoints"), world);
            var result = store.Save(new CheckpointState
            {
                Step = 0,
                ConsumedTokens = 0,
                ConfigurationYaml = configuration.ToYaml(),
                ConfigurationHash = configuration.Hash,
                Slices = weights.Slices,
            });
            if (result.Status != SaveStatus.Durable)
                throw new CheckpointException($"The model could not be saved: {result.Reason}.");
            File.WriteAllText(Path.Combine(run, "config.yaml"), configuration.ToYaml());
            parsed.InvocationConfiguration.Output.WriteLine($"{weights.Slices.Count} tensors are in {result.Path}");
        });
        return command;
    }

    private static IReadOnlyList<string> Overrides(string source, string run)
    {
        // A configuration must say how long to train; whoever trains on says it anew.
        const string Length = "train.steps=1";
        var tokenizer = Path.GetFullPath(Path.Combine(source, TokenizerName));
        return
        [
            Length, .. LlamaMapping.ToOurs(LlamaConfig.Read(source)), $"name={Path.GetFileName(run)}", $"run_directory={run}",
            .. File.Exists(tokenizer) ? [$"data.tokenizer={tokenizer}"] : Array.Empty<string>(),
        ];
    }
}
