using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Kernels;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Support;

/// <summary>How a test runs a model.</summary>
internal sealed record RunOptions
{
    public ScalarType Type { get; init; } = float32;

    /// <summary>Gradients are summed into registered fp32 sums, full of NaN at first, instead of coming back from autograd.</summary>
    public bool Sink { get; init; }

    /// <summary>Weight-gradient products wait until the whole backward is over.</summary>
    public bool Deferred { get; init; }
}

/// <summary>Loss, logits and gradients of this rank's parts, made block by block as the executor makes them.</summary>
internal sealed record ModelRun(
    double Loss,
    Tensor Logits,
    IReadOnlyDictionary<string, Tensor> Gradients,
    IReadOnlyList<LocalParameter> Parts
)
{
    /// <summary>Runs forward and backward once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="weights">Global weights by name.</param>
    /// <param name="context">This rank's microbatch.</param>
    /// <param name="ops">This rank's primitives.</param>
    /// <param name="plan">This rank's part of the parameters.</param>
    /// <param name="options">How.</param>
    public static ModelRun Execute(
        ModelSection model,
        Func<string, Tensor> weights,
        MicrobatchContext context,
        ParallelOps ops,
        ShardingPlan plan,
        RunOptions options
    )
    {
        using var scope = NewDisposeScope();
        var blocks = Transformer.Blocks(model, Presets.Vocabulary);
        var parts = blocks.SelectMany(b => b.Parameters).DistinctBy(p => p.Name).Select(plan.Local).ToList();
        var parameters = parts.ToDictionary(p => p.Spec.Name, p => Part(weights(p.Spec.Name), p, options.Type));
        var gradients = parts.ToDictionary(p => p.Spec.Name, p => zeros(p.Shape, float32));
        if (options.Sink)
            Register(ops.Sink, parameters, gradients);

        IReadOnlyList<Tensor> Of(Block block) => [.. block.Parameters.Select(p => parameters[p.Name])];
        var inputs = new List<Tensor?>();
        var outputs = new List<Tensor>();
        foreach (var block in blocks)
        {
            inputs.Add(outputs.Count == 0 ? null : outputs[^1].detach().requires_grad_());
            outputs.Add(block.Forward(Of(block), inputs[^1], context, ops));
        }
        var logits = ((HeadBlock)blocks[^1]).Logits(Of(blocks[^1]), outputs[^2], ops);

        using var deferred = new DeferredWeightGradients();
        ops.Deferred = options.Deferred ? deferred : null;
        var gradient = ones([], float32);
        for (int i = blocks.Count - 1; i >= 0; i--)
            gradient = Backward(blocks[i], Of(blocks[i]), inputs[i], outputs[i], gradient, gradients) ?? gradient;
        ops.Deferred = null;
        Assert.Equal(options.Deferred, deferred.Count > 0);
        deferred.Run();
        return new ModelRun(
            outputs[^1].item<float>(),
            logits.MoveToOuterDisposeScope(),
            gradients.ToDictionary(g => g.Key, g => g.Value.MoveToOuterDisposeScope()),
            parts
        );
    }

    /// <summary>The part of a global tensor, padded with zeros.</summary>
    public static Tensor Part(Tensor whole, LocalParameter part, ScalarType type)
    {
        var local = zeros(part.Shape, type);
        Slice(local, part.Extent).copy_(Window(whole, part));
        return local.requires_grad_();
    }

    /// <summary>The window of a global tensor that a rank's part covers.</summary>
    public static Tensor Window(Tensor whole, LocalParameter part)
    {
        for (int dim = 0; dim < part.Extent.Length; dim++)
            whole = whole.narrow(dim, part.Offset[dim], part.Extent[dim]);
        return whole;
    }

    /// <summary>The first elements of each dim.</summary>
    public static Tensor Slice(Tensor tensor, long[] extent)
    {
        for (int dim = 0; dim < extent.Length; dim++)
            tensor = tensor.narrow(dim, 0, extent[dim]);
        return tensor;
    }

    private static void Register(GradientSink sink, Dictionary<string, Tensor> parameters, Dictionary<string, Tensor> gradients)
    {
        foreach (var (name, parameter) in parameters)
        {
            bool isEmpty = true;
            sink.Register(
                parameter,
                () =>
                {
                    if (!isEmpty)
                        return gradients[name];
                    isEmpty = false;
                    return new GradientSum(gradients[name].fill_(Scalars.Of(float.NaN)), IsEmpty: true);
                }
            );
        }
    }

    private static Tensor? Backward(
        Block block,
        IReadOnlyList<Tensor> parameters,
        Tensor? input,
        Tensor output,
        Tensor gradient,
        Dictionary<string, Tensor> gradients
    )
    {
        Tensor[] wanted = input is null ? [.. parameters] : [input, .. parameters];
        var results = Torch.Autograd.Gradients.Of(output, gradient, wanted);
        int first = wanted.Length - parameters.Count;
        for (int i = 0; i < parameters.Count; i++)
            if (results[first + i] is { } result)
                gradients[block.Parameters[i].Name].add_(result);
        return input is null ? null : results[0];
    }
}
