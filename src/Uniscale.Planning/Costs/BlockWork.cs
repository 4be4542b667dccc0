using Uniscale.Configuration;
using Uniscale.Planning.Clusters;

namespace Uniscale.Planning.Costs;

/// <summary>Work of the passes over each block of a layout, for one microbatch, on one rank.</summary>
/// <param name="Forward">Forward pass.</param>
/// <param name="BackwardInput">Gradient of the input, recomputation included.</param>
/// <param name="BackwardWeight">Gradients of the matrices.</param>
public readonly record struct BlockWork(PassWork Forward, PassWork BackwardInput, PassWork BackwardWeight)
{
    private const double Scores16 = 2;

    /// <summary>Work of a block.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="stack">How its kernels go about it.</param>
    /// <param name="block">Number of the block.</param>
    public static BlockWork Of(StepSpecification spec, StackSection stack, int block)
    {
        var shape = new Shape(spec);
        if (block == 0)
            return Embedding(shape);
        return block == spec.Model.Head ? Head(shape) : Transformer(shape, stack, spec.RecomputationOf(block));
    }

    /// <summary>Sizes of one rank's part: tokens, widths divided by the tensor axis, bytes of an element.</summary>
    private readonly struct Shape
    {
        public Shape(StepSpecification spec)
        {
            var m = spec.Model;
            Spec = spec;
            Bytes = spec.ActivationBytes;
            Tensor = spec.Mesh.Tensor;
            Context = spec.Mesh.Context;
            Tokens = (double)spec.MicrobatchSize * m.Context / Context;
            Hidden = m.Hidden;
            Queries = (double)m.Heads * m.HeadDim / Tensor;
            Keys = (double)Math.Max(1.0, (double)m.KvHeads / Tensor) * m.HeadDim;
            Ffn = (double)m.Ffn / Tensor;
            Vocabulary = (double)m.HeadOutputs / Tensor;
            Residual = Tokens * Hidden / (spec.SequenceParallel ? Tensor : 1);
            HeadScores = Tokens * m.Context * m.Heads / Tensor;
        }

        public StepSpecification Spec { get; }
        public double Bytes { get; }
        public int Tensor { get; }
        public int Context { get; }
        public double Tokens { get; }
        public double Hidden { get; }
        public double Queries { get; }
        public double Keys { get; }
        public double Ffn { get; }
        public double Vocabulary { get; }

        /// <summary>Elements of a tensor as wide as the residual stream, as it lies between tensor-parallel regions.</summary>
        public double Residual { get; }

        /// <summary>Elements of the scores of attention.</summary>
        public double HeadScores { get; }

        public bool Gated => Spec.Model.GatedFfn;

        /// <summary>A product of [tokens, inner] with [inner, outer], times how often.</summary>
        public PassWork Product(double inner, double outer, double times = 1) =>
            times * new PassWork(2 * Tokens * inner * outer, ProductBytes: (Tokens * (inner + outer) + inner * outer) * Bytes);

        /// <summary>The product that adds to an fp32 gradient of [inner, outer], which is read and written.</summary>
        public PassWork Gradient(double inner, double outer) =>
            new(2 * Tokens * inner * outer, ProductBytes: Tokens * (inner + outer) * Bytes + 2 * sizeof(float) * inner * outer);

        public PassWork Stream(double elements) => new(StreamBytes: elements * Bytes);

        /// <summary>All-reduce of a tensor of the residual stream, or the gather and scatter that take its place: the same bytes.</summary>
        public PassWork TensorExchange(double times) =>
            Tensor == 1 ? default : new(TensorBytes: times * 2 * Tokens * Hidden * Bytes, TensorCalls: times);

        /// <summary>Keys and values of the whole sequence travel round the ring.</summary>
        public PassWork KeysExchange(double times) =>
            Context == 1 ? default : new(ContextBytes: times * 2 * Keys * Tokens * Context * Bytes, ContextCalls: times);
    }

    private static BlockWork Embedding(Shape s)
    {
        var forward = s.Stream(s.Residual * 2) + 0.5 * s.TensorExchange(1);
        var backward = s.Stream(s.Residual * 4) + 0.5 * (s.Spec.SequenceParallel ? s.TensorExchange(1) : default);
        return new BlockWork(forward, default, backward);
    }

    /// <summary>
    /// The head makes its gradients in its forward pass (docs/decisions/0051): three products, logits in fp32 written once and read twice.
    /// A program that only goes forward has the first product, and reads logits once.
    /// </summary>
    private static BlockWork Head(Shape s)
    {
        if (s.Spec.ForwardOnly)
        {
            var read = new PassWork(StreamBytes: s.Tokens * s.Vocabulary * 2 * sizeof(float));
            return new BlockWork(
                s.Product(s.Hidden, s.Vocabulary) + read + s.Stream(s.Residual * 2) + 0.5 * s.TensorExchange(1),
                default,
                default
            );
        }
        var logits = new PassWork(StreamBytes: s.Tokens * s.Vocabulary * (3 * sizeof(float) + s.Bytes));
        var products = s.Product(s.Hidden, s.Vocabulary, 2) + s.Gradient(s.Hidden, s.Vocabulary);
        return new BlockWork(products + logits + s.Stream(s.Residual * 5) + s.TensorExchange(1), default, default);
    }

    private static BlockWork Transformer(Shape s, StackSection stack, RecomputeKind recompute)
    {
        bool flash = stack.Attention == AttentionKind.Flash;
        double into = s.Gated ? 2 : 1;
        var linear =
            s.Product(s.Hidden, s.Queries + 2 * s.Keys)
            + s.Product(s.Queries, s.Hidden)
            + s.Product(s.Hidden, into * s.Ffn)
            + s.Product(s.Ffn, s.Hidden);
        var weights =
            s.Gradient(s.Hidden, s.Queries + 2 * s.Keys)
            + s.Gradient(s.Queries, s.Hidden)
            + s.Gradient(s.Hidden, into * s.Ffn)
            + s.Gradient(s.Ffn, s.Hidden);
        var core = Core(s, flash, stack.Dropout, products: 2);
        // Flash attention computes the scores once more in its own backward: five products to the forward's two.
        var coreBackward = Core(s, flash, stack.Dropout, products: flash ? 5 : 4);
        var activation = s.Stream(s.Tokens * s.Ffn * (into + 1));
        var norms = s.Stream(s.Residual * 4);
        double masks = stack.Dropout ? 1.0 / s.Bytes : 0;
        var residuals = s.Stream(s.Residual * 2 * (3 + masks));
        var positions = s.Stream(s.Tokens * 2 * (s.Queries + s.Keys));
        var forward = linear + core + activation + norms + residuals + positions + s.TensorExchange(2) + s.KeysExchange(1);
        var backward =
            linear
            + coreBackward
            + s.Stream(s.Tokens * s.Ffn * (2 * into + 1))
            + s.Stream(s.Residual * 6)
            + residuals
            + positions
            + s.TensorExchange(2)
            + s.KeysExchange(2);
        var again = recompute switch
        {
            RecomputeKind.Block => forward,
            RecomputeKind.Selective when !flash => core,
            RecomputeKind.Selective => activation + norms,
            _ => default,
        };
        return new BlockWork(forward, backward + again, weights);
    }

    /// <summary>Attention between queries and keys. Without tiles the scores pass through softmax (read, written) and dropout (read,
    /// written, and a
    /// mask of bytes), and the products that follow read them again.</summary>
    private static PassWork Core(Shape s, bool flash, bool dropout, int products)
    {
        double flops = 2 * s.HeadScores * s.Spec.Model.HeadDim * products;
        if (flash)
            return new PassWork(AttentionFlops: flops / 2, ProductBytes: s.Tokens * (s.Queries + s.Keys) * s.Bytes * products);
        double perScore = 2 * Scores16 + (dropout ? 2 * Scores16 + 1 : 0);
        double passes = products / 2.0;
        return new PassWork(
            AttentionFlops: flops,
            ProductBytes: s.HeadScores * Scores16 * products,
            StreamBytes: s.HeadScores * perScore * passes
        );
    }
}
