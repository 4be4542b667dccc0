using System.IO.Hashing;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Model;
using Uniscale.Evaluation.Inference;
using Uniscale.Programs;
using Uniscale.Training.Runs;
using static TorchSharp.torch;

namespace Uniscale.Cli.Commands;

/// <summary>A model as Hugging Face keeps it, in a folder.</summary>
internal static class HuggingFaceModel
{
    private const int BlockBytes = 1 << 20;

    /// <summary>Whether a folder is one of a model, and not of a run.</summary>
    public static bool IsFolder(string path) => File.Exists(Path.Combine(path, LlamaConfig.FileName)) && HoldsWeights(path);

    /// <summary>Whether a folder holds weights.</summary>
    public static bool HoldsWeights(string folder) =>
        Directory.Exists(folder)
        && (Directory.EnumerateFiles(folder, "*.safetensors").Any() || Directory.EnumerateFiles(folder, "*.safetensors.index.json").Any());

    /// <summary>The model to be read, without a run being made of it.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="type">Of the parameters.</param>
    public static OpenedModel Open(string folder, ScalarType type)
    {
        var config = CheckpointInput.Given(() => LlamaConfig.Read(folder));
        string path =
            TokenizerOf(folder, config.VocabSize)
            ?? throw new UserErrorException(
                $"{folder} has neither {TokenizerFiles.SentencePieceName} nor {TokenizerFiles.JsonName}, so its tokens cannot be turned into text."
            );
        var shape = Configuration(folder, config, []).Value.Model;
        string scratch = Directory.CreateTempSubdirectory("uniscale-weights-").FullName;
        try
        {
            using var weights = Weights(folder, scratch, shape, config);
            return new OpenedModel(TrainedModel.Of(shape, config.VocabSize, weights.Slices, type), Tokenizer.Load(path), Digest(folder));
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    /// <summary>A configuration with the model's shape.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="config">Its <c>config.json</c>.</param>
    /// <param name="overrides">What else the configuration says.</param>
    public static ResolvedConfiguration Configuration(string folder, LlamaConfig config, IReadOnlyList<string> overrides)
    {
        // A configuration must say how long to train; whoever trains on says it anew.
        const string Length = "train.steps=1";
        var configuration = ConfigurationLoader.Parse(
            "",
            [Length, .. LlamaMapping.ToOurs(config), .. overrides],
            name: Path.Combine(folder, LlamaConfig.FileName)
        );
        LayoutGate.Check(configuration);
        return configuration;
    }

    /// <summary>The weights, in a scratch file.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="scratch">Where there is room for them in fp32.</param>
    /// <param name="model">The model's shape.</param>
    /// <param name="config">Its <c>config.json</c>.</param>
    public static HuggingFaceImport Weights(string folder, string scratch, ModelSection model, LlamaConfig config)
    {
        var parameters = Transformer
            .Blocks(model, model.Vocabulary)
            .SelectMany(block => block.Parameters)
            .DistinctBy(parameter => parameter.Name)
            .ToDictionary(parameter => parameter.Name, parameter => parameter.Shape);
        return CheckpointInput.Given(() => HuggingFaceImport.Open(folder, scratch, parameters, config));
    }

    /// <summary>The folder's tokenizer, or null where it has none at all.</summary>
    public static string? TokenizerOf(string folder, int vocabulary)
    {
        if (TokenizerFiles.Find(folder) is not { } model)
            return null;
        using var tokenizer = Tokenizer.Load(model);
        return tokenizer.Size <= vocabulary
            ? model
            : throw new UserErrorException(
                $"{model} has {tokenizer.Size} tokens, but vocab_size of {LlamaConfig.FileName} is {vocabulary}: take the tokenizer of this model."
            );
    }

    /// <summary>Names the weights: a digest of the configuration and all weight files.</summary>
    private static string Digest(string folder)
    {
        var hash = new XxHash128();
        byte[] block = new byte[BlockBytes];
        foreach (
            string path in Directory
                .EnumerateFiles(folder, "*.safetensors")
                .Order(StringComparer.Ordinal)
                .Prepend(Path.Combine(folder, LlamaConfig.FileName))
        )
        {
            using var file = File.OpenRead(path);
            for (int read; (read = file.Read(block)) > 0;)
                hash.Append(block.AsSpan(0, read));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
