namespace Uniscale.Programs.Memory;

/// <summary>
/// Follows a rank's program and counts the bytes of activations and of their gradients that are alive. Tokens are left out (16 bytes each).
/// </summary>
public sealed class ActivationMeter
{
    private readonly ActivationMemory _memory;
    private readonly bool _isForwardOnly;
    private readonly long[] _full;
    private readonly long[] _kept;
    private readonly long[] _left;

    /// <summary>A meter that has seen nothing.</summary>
    /// <param name="spec">The layout.</param>
    /// <param name="traits">What other kernels than ours keep.</param>
    public ActivationMeter(StepSpecification spec, ActivationTraits traits = default)
    {
        _memory = new ActivationMemory(spec, traits);
        _isForwardOnly = spec.ForwardOnly;
        int count = spec.Model.BlockCount;
        (_full, _kept, _left) = (new long[count], new long[count], new long[count]);
        for (int block = 0; block < count; block++)
            (_full[block], _kept[block], _left[block]) = (_memory.FullBytes(block), _memory.KeptBytes(block), _memory.LeftBytes(block));
        Boundary = _memory.BoundaryBytes;
    }

    private long Boundary { get; }

    /// <summary>Bytes alive now.</summary>
    public long LiveBytes { get; private set; }

    /// <summary>Most bytes alive at any time.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>
    /// Most bytes kept by blocks between their passes at any time: <see cref="PeakBytes"/> without what travels or exists within a pass.
    /// </summary>
    public long PeakKeptBytes { get; private set; }

    private long KeptBytes
    {
        get;
        set
        {
            field = value;
            PeakKeptBytes = Math.Max(PeakKeptBytes, value);
        }
    }

    /// <summary>Peak of a whole program.</summary>
    public static long PeakOf(StepSpecification spec, StepProgram program)
    {
        var meter = new ActivationMeter(spec);
        foreach (var instruction in program.Instructions)
            meter.Run(instruction);
        return meter.PeakBytes;
    }

    /// <summary>
    /// Counts one instruction. A tensor between blocks is counted once: as a boundary while it travels or waits,
    /// and within <see cref="ActivationMemory.KeptBytes"/> once a block has taken it as input.
    /// </summary>
    public void Run(Instruction instruction)
    {
        int block = instruction.Block;
        if (block < 0 || block >= _full.Length)
            return;
        switch (instruction.Op)
        {
            case Op.ReceiveActivation or Op.ReceiveGradient:
                Change(Boundary);
                break;
            case Op.SendActivation or Op.SendGradient:
                Change(-Boundary);
                break;
            case Op.Forward:
                Touch(_full[block] + _memory.ForwardBytes(block));
                Change((_isForwardOnly ? 0 : _kept[block]) + OutputOf(block) - InputOf(block));
                if (!_isForwardOnly)
                    KeptBytes += _kept[block];
                break;
            case Op.Backward:
                Touch(_full[block] - _kept[block] + InputOf(block));
                Change(InputOf(block) - OutputOf(block) - _kept[block]);
                KeptBytes -= _kept[block];
                break;
            case Op.BackwardInput:
                Touch(_full[block] - _kept[block] + InputOf(block));
                Change(InputOf(block) - OutputOf(block) - _kept[block] + _left[block]);
                KeptBytes += _left[block] - _kept[block];
                break;
            case Op.BackwardWeight:
                Change(-_left[block]);
                KeptBytes -= _left[block];
                break;
        }
    }

    private long InputOf(int block) => block == 0 ? 0 : Boundary;

    private long OutputOf(int block) => block == _full.Length - 1 ? 0 : Boundary;

    private void Change(long bytes)
    {
        LiveBytes += bytes;
        PeakBytes = Math.Max(PeakBytes, LiveBytes);
    }

    private void Touch(long bytes) => PeakBytes = Math.Max(PeakBytes, LiveBytes + bytes);
}
