using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Loading;
using Uniscale.Configuration;
using Uniscale.Engine.Decoding;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Kernels.Reference;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Evaluation.Inference;

/// <summary>The weights of a checkpoint on one rank, for reading: any layout it was trained under is put together while loading.</summary>
public sealed class TrainedModel : IDisposable
{
    private readonly ModelSection _shape;
    private readonly IReadOnlyList<Block> _blocks;
    private readonly Dictionary<string, Tensor> _parameters = [];
    private readonly ParallelOps _ops;

    private TrainedModel(ModelSection shape, long vocabulary)
    {
        this._shape = shape;
        Vocabulary = vocabulary;
        _blocks = Transformer.Blocks(shape, vocabulary);
        _ops = ParallelOps.Local(TorchKernels.Instance);
    }

    /// <summary>Entries of the vocabulary.</summary>
    public long Vocabulary { get; }

    /// <summary>Tokens that the model sees at most.</summary>
    public int Context => _shape.Context;

    /// <summary>Shape of the model, with the context and the positions it was trained with.</summary>
    public ModelSection Shape => _shape;

    /// <summary>Loads the parameters of a checkpoint.</summary>
    /// <param name="shape">Shape of the model that the checkpoint holds.</param>
    /// <param name="vocabulary">Vocabulary entries.</param>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="type">Of the parameters and of what flows between blocks: fp32, or bf16, which takes half the memory.</param>
    public static TrainedModel Load(
        ModelSection shape,
        long vocabulary,
        CheckpointReader checkpoint,
        ScalarType type = ScalarType.Float32
    )
    {
        using var noGradients = no_grad();
        if (shape.Head == HeadKind.Score)
            throw new UserErrorException(
                $"The checkpoint {checkpoint.Folder} is of a reward model, which gives scores and no text: name a run of another objective."
            );
        var model = new TrainedModel(shape, vocabulary);
        var slices = new List<StateSlice>();
        foreach (var spec in model._blocks.SelectMany(block => block.Parameters).DistinctBy(spec => spec.Name))
        {
            // bf16 runs keep fp32 masters beside the parameters; those are the weights.
            string master = $"optimizer.master/{spec.Name}";
            string name = checkpoint.Contains(master) ? master : spec.Name;
            // Before memory is taken: a configuration may say anything.
            if (!checkpoint[name].Shape.AsSpan().SequenceEqual(spec.Shape))
                throw new CheckpointMismatchException(
                    $"tensor '{name}' has another shape in {checkpoint.Folder} than the configuration stored there says"
                );
            var tensor = zeros(spec.Shape, ScalarType.Float32).DetachFromDisposeScope();
            model._parameters[spec.Name] = tensor;
            slices.Add(
                new StateSlice(
                    name,
                    checkpoint[name].Type,
                    spec.Shape,
                    new long[spec.Shape.Length],
                    spec.Shape,
                    TensorMemory.DataPointer(tensor)
                )
            );
        }
        checkpoint.Load(slices);
        model.Convert(type);
        return model;
    }

    /// <summary>Copies whole tensors.</summary>
    /// <param name="shape">Shape of the model.</param>
    /// <param name="vocabulary">Vocabulary entries.</param>
    /// <param name="weights">A slice in fp32 for each parameter of the model.</param>
    /// <param name="type">As for <see cref="Load"/>.</param>
    public static TrainedModel Of(
        ModelSection shape,
        long vocabulary,
        IReadOnlyList<StateSlice> weights,
        ScalarType type = ScalarType.Float32
    )
    {
        using var noGradients = no_grad();
        var model = new TrainedModel(shape, vocabulary);
        foreach (var slice in weights)
        {
            using var there = TensorMemory.FromPointer(slice.Address, slice.Shape, ScalarType.Float32);
            model._parameters[slice.Name] = there.to(type, copy: true).DetachFromDisposeScope();
        }
        return model;
    }

    /// <summary>The model for one thread to read; it ends before this one does.</summary>
    /// <param name="positions">A shape that differs from <see cref="Shape"/> in context and rotary positions alone, as a longer text may
    /// need; null: as trained.</param>
    public InferenceModel Reader(ModelSection? positions = null) =>
        new(
            new Decoder(positions is null ? _blocks : Transformer.Blocks(positions, Vocabulary), ParametersOf),
            Vocabulary,
            positions?.Context ?? Context
        );

    /// <summary>
    /// Logits of every position by plain torch operations, without cache, batch or packing: fp32 [1, sequence, vocabulary]; belongs to the
    /// caller's dispose scope.
    /// </summary>
    public Tensor Logits(ReadOnlySpan<int> tokens)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        long[] ids = new long[tokens.Length];
        for (int i = 0; i < ids.Length; i++)
            ids[i] = tokens[i];
        var hidden = Hidden(tensor(ids, [1, ids.Length], ScalarType.Int64));
        return ((HeadBlock)_blocks[^1]).Logits(ParametersOf(_blocks[^1]), hidden, _ops).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var parameter in _parameters.Values)
            parameter.Dispose();
        _parameters.Clear();
    }

    private void Convert(ScalarType type)
    {
        foreach (var (name, tensor) in _parameters.ToList())
        {
            if (tensor.dtype == type)
                continue;
            _parameters[name] = tensor.to(type).DetachFromDisposeScope();
            tensor.Dispose();
        }
    }

    private Tensor Hidden(Tensor tokens)
    {
        var context = new MicrobatchContext { Index = 0, Tokens = tokens };
        Tensor? x = null;
        foreach (var block in _blocks.SkipLast(1))
            x = block.Forward(ParametersOf(block), x, context, _ops);
        return x!;
    }

    private Tensor[] ParametersOf(Block block) => [.. block.Parameters.Select(spec => _parameters[spec.Name])];
}
