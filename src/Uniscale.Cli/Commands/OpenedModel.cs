using System.Security.Cryptography;
using Uniscale.Checkpoints.Format;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Inference;
using Uniscale.Kernels;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary>A trained model and its tokenizer, as a user names them.</summary>
/// <param name="Model">The weights.</param>
/// <param name="Tokenizer">The tokenizer they were trained with.</param>
/// <param name="Digest">Names the weights: a digest of the checkpoint's manifest, which holds digests of all its tensors.</param>
internal sealed record OpenedModel(TrainedModel Model, Tokenizer Tokenizer, string Digest) : IDisposable
{
    /// <summary>The newest checkpoint of a run, one of its checkpoints, or a model of Hugging Face.</summary>
    /// <param name="path">Directory of a run, of one of its checkpoints, or of a model.</param>
    /// <param name="precision">In which the model computes.</param>
    public static OpenedModel Open(string path, PrecisionKind precision = PrecisionKind.Fp32)
    {
        var type = precision.TensorType();
        if (HuggingFaceModel.IsFolder(path))
            return HuggingFaceModel.Open(path, type);
        var checkpoint = CheckpointInput.Open(path, step: null);
        var configuration = CheckpointInput.ConfigurationOf(checkpoint);
        string model =
            configuration.Data.Tokenizer
            ?? throw new UserErrorException(
                $"The run of {path} names no tokenizer (data.tokenizer), so its tokens cannot be turned into text."
            );
        var tokenizer = Tokenizer.Load(
            RunTokenizer.Find(path, model)
                ?? throw new UserErrorException(
                    $"The tokenizer {model} of the run is not there; paths in a configuration are relative to the directory that the run was started in."
                )
        );
        long vocabulary = configuration.Model.Vocabulary > 0 ? configuration.Model.Vocabulary : tokenizer.Size;
        string digest = Convert.ToHexStringLower(
            SHA256.HashData(File.ReadAllBytes(Path.Combine(checkpoint.Folder, CheckpointManifest.FileName)))
        );
        return CheckpointInput.Given(() =>
            new OpenedModel(
                TrainedModel.Load(configuration.ModelAt(checkpoint.Manifest.ConsumedTokens), vocabulary, checkpoint, type),
                tokenizer,
                digest
            )
        );
    }

    public void Dispose()
    {
        Model.Dispose();
        Tokenizer.Dispose();
    }
}
