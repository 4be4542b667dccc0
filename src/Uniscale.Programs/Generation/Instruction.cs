using System.Globalization;
using System.Text;

namespace Uniscale.Programs;

/// <summary>
/// What an instruction does. A rank runs its instructions strictly in order on one compute thread. "Posts" means: hands the
/// work to the communication thread and goes on; "waits" means: the compute thread stands still until the work it needs is done.
/// Work posted to one group, or to one peer, is done in the order in which it was posted. A program is over when all that it
/// posted is done. Operands are in <see cref="Instruction"/>; which of them an operation uses is said with each.
/// </summary>
public enum Op : byte
{
    /// <summary>Operand m. Makes tokens and targets of the microbatch ready. Only on ranks that hold the embedding or the head,
    /// before the first use; on ranks that hold the head, all loads precede <see cref="CountTokens"/>.</summary>
    Load,

    /// <summary>No operand. Only on ranks that hold the head, once, after their loads: posts the sum over
    /// <see cref="RankGroups.Replicas"/> (data × context) of the valid tokens of all microbatches of the step. The first
    /// <see cref="Forward"/> of the head waits for it: its loss is the sum of token losses divided by this count.</summary>
    CountTokens,

    /// <summary>Operand b. ZeRO-3: posts the gathering of the block's parameters from their shards over <see cref="RankGroups.Shards"/>
    /// into a full buffer. The next pass over the block waits for it.</summary>
    GatherParameters,

    /// <summary>Operand b. ZeRO-3: frees the full buffer that <see cref="GatherParameters"/> filled; the shard stays.</summary>
    ReleaseParameters,

    /// <summary>Operands b, m, peer. Posts the receiving of the input of block b (the first block of a chunk) from the rank that holds
    /// block b − 1. <see cref="Forward"/> of (b, m) waits for it.</summary>
    ReceiveActivation,

    /// <summary>Operands b, m, peer. Posts the sending of the output of block b (the last block of a chunk) to the rank that holds
    /// block b + 1. The buffer stays untouched until it is sent.</summary>
    SendActivation,

    /// <summary>Operands b, m, peer. Posts the receiving of the gradient of the output of block b (the last block of a chunk) from the
    /// rank that holds block b + 1. <see cref="Backward"/> or <see cref="BackwardInput"/> of (b, m) waits for it.</summary>
    ReceiveGradient,

    /// <summary>Operands b, m, peer. Posts the sending of the gradient of the input of block b (the first block of a chunk) to the
    /// rank that holds block b − 1.</summary>
    SendGradient,

    /// <summary>Operands b, m. Forward of one block for one microbatch. Its input is the output of Forward (b − 1, m) on this rank, or what
    /// <see cref="ReceiveActivation"/> (b, m) brings, or the tokens (embedding). Tensor- and context-parallel communication happens inside.
    /// Keeps for the backward pass what <see cref="StepSpecification.RecomputationOf"/> says. The head may add the gradient of its matrix
    /// here already.</summary>
    Forward,

    /// <summary>Operands b, m. Backward of one block for one microbatch: gradient of its input, and gradients of its parameters added to
    /// the fp32 accumulation. The gradient of its output is that of Backward (b + 1, m) on this rank, or what
    /// <see cref="ReceiveGradient"/> (b, m) brings, or 1 (the head's loss). Frees all that Forward (b, m) kept.</summary>
    Backward,

    /// <summary>Operands b, m; transformer blocks only. As <see cref="Backward"/>, but the GEMMs that give gradients of matrices are
    /// left for <see cref="BackwardWeight"/>: what they need (input and output gradient of each matrix) is kept, the rest is freed.
    /// Gradients of vectors (norms, biases) may be added now.</summary>
    BackwardInput,

    /// <summary>Operands b, m. Adds the gradients that <see cref="BackwardInput"/> (b, m) left, and frees what it kept.
    /// Needs no parameters.</summary>
    BackwardWeight,

    /// <summary>
    /// Operands b, and m or −1. Posts the reduction of a block's gradients, a sum, never a mean.
    /// ZeRO-0: all-reduce over <see cref="RankGroups.Replicas"/>, once, m = −1, after the last contribution.
    /// ZeRO-1: once, m = −1: reduce-scatter over <see cref="RankGroups.Shards"/>, then all-reduce of the shard over
    /// <see cref="RankGroups.ShardReplicas"/> where that has more than one member.
    /// ZeRO-2 and 3: after every contribution, m = the microbatch: reduce-scatter over <see cref="RankGroups.Shards"/>, the result
    /// is added to the gradient shard, the full gradient is freed (the next contribution begins with zeros); the all-reduce over
    /// <see cref="RankGroups.ShardReplicas"/> may follow once, with the last of them.
    /// Exception: the two copies of an embedding tied across stages are reduced once (m = −1), after <see cref="ReduceTied"/>,
    /// at every ZeRO stage. Absent where there is one replica.
    /// </summary>
    ReduceGradients,

    /// <summary>Operands b, peer. Only with tied embeddings and more than one stage, on first stage (b = 0) and last stage (b = head):
    /// posts the sum of this rank's whole gradient of the tied matrix with that of the peer; both then hold the sum.</summary>
    ReduceTied,

    /// <summary>No operand. Waits for all reductions; then global norm of the gradients, sum of the loss and finiteness over the world: the
    /// step's one decision, the same on all ranks. A tied matrix counts once.</summary>
    Norm,

    /// <summary>
    /// Operand b. Clips and updates what this rank owns of the block: all of it (ZeRO-0) or its shard (1 to 3); zeroes the gradient.
    /// </summary>
    Update,

    /// <summary>Operand b. ZeRO-1 and 2: posts the gathering of the updated parameters over <see cref="RankGroups.Shards"/>.</summary>
    GatherUpdated,

    /// <summary>Operand b. Compares a checksum of the block's parameters across <see cref="RankGroups.Replicas"/> (ZeRO-3: of the shard,
    /// across <see cref="RankGroups.ShardReplicas"/>), after waiting for <see cref="GatherUpdated"/>.</summary>
    Checksum,

    /// <summary>No operand. Only in programs that go forward alone (<see cref="StepSpecification.ForwardOnly"/>), at their end: sum of the
    /// token
    /// losses and count of the valid tokens over the world.</summary>
    SumLoss,
}

/// <summary>One instruction of a rank's step. Operands that an operation does not use are −1.</summary>
/// <param name="Op">What to do.</param>
/// <param name="Block">Block of the model (0 the embedding, Layers + 1 the head).</param>
/// <param name="Microbatch">Microbatch of the step.</param>
/// <param name="Peer">World rank at the other end of a send or receive.</param>
public readonly record struct Instruction(Op Op, int Block = -1, int Microbatch = -1, int Peer = -1)
{
    /// <summary>Short form, e.g. <c>forward b3 m0</c> or <c>send-activation b4 m1 @6</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(NameOf(Op));
        if (Block >= 0)
            text.Append(" b").Append(Block);
        if (Microbatch >= 0)
            text.Append(" m").Append(Microbatch);
        if (Peer >= 0)
            text.Append(" @").Append(Peer);
        return text.ToString();
    }

    /// <summary>Reads the form that <see cref="ToString"/> writes.</summary>
    public static bool TryParse(string text, out Instruction instruction)
    {
        string[] words = text.Split(' ');
        int op = Array.IndexOf(Names, words[0]);
        instruction = new Instruction((Op)Math.Max(0, op));
        foreach (string word in words.AsSpan(1))
        {
            if (word.Length < 2 || !int.TryParse(word.AsSpan(1), CultureInfo.InvariantCulture, out int value))
                return false;
            instruction = word[0] switch
            {
                'b' => instruction with { Block = value },
                'm' => instruction with { Microbatch = value },
                _ => instruction with { Peer = value },
            };
        }
        return op >= 0;
    }

    /// <summary>Name of an operation in lower case with hyphens, e.g. <c>reduce-gradients</c>.</summary>
    public static string NameOf(Op op) => Names[(int)op];

    private static readonly string[] Names = Enum.GetNames<Op>().Select(Hyphenate).ToArray();

    private static string Hyphenate(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}

/// <summary>What one rank does in one optimizer step.</summary>
/// <param name="Rank">World rank.</param>
/// <param name="Instructions">In the order of execution.</param>
public sealed record StepProgram(int Rank, IReadOnlyList<Instruction> Instructions);
