using System.Runtime.CompilerServices;
using System.Text;

namespace TorchSharp.Native;

/// <summary>
/// An operator of libtorch by its schema name, e.g. <c>aten::add.Tensor</c>. Found at the first call and kept. Arguments stand
/// in the order of the schema; those left out at the end take their defaults. A call allocates nothing but its results.
/// </summary>
internal sealed unsafe class Operator(string name, string overload = "")
{
    private const int ScratchOnStack = 64;

    private nint _handle;

    /// <summary>Calls an operator with one tensor as result.</summary>
    internal torch.Tensor Call(params ReadOnlySpan<Argument> arguments)
    {
        Value result;
        Invoke(arguments, &result, 1);
        return new torch.Tensor((nint)result.Payload);
    }

    /// <summary>Calls an operator that changes its first argument, and returns that.</summary>
    internal torch.Tensor CallInPlace(params ReadOnlySpan<Argument> arguments)
    {
        Invoke(arguments, null, 0);
        return (torch.Tensor)arguments[0].Owner!;
    }

    /// <summary>Calls an operator with two tensors as results.</summary>
    internal (torch.Tensor, torch.Tensor) CallPair(params ReadOnlySpan<Argument> arguments)
    {
        var results = stackalloc Value[2];
        Invoke(arguments, results, 2);
        return (new torch.Tensor((nint)results[0].Payload), new torch.Tensor((nint)results[1].Payload));
    }

    /// <summary>Calls an operator with three tensors as results.</summary>
    internal (torch.Tensor, torch.Tensor, torch.Tensor) CallTriple(params ReadOnlySpan<Argument> arguments)
    {
        var results = stackalloc Value[3];
        Invoke(arguments, results, 3);
        return (new torch.Tensor((nint)results[0].Payload), new torch.Tensor((nint)results[1].Payload),
            new torch.Tensor((nint)results[2].Payload));
    }

    /// <summary>Calls an operator with a list of tensors as result.</summary>
    internal torch.Tensor[] CallList(params ReadOnlySpan<Argument> arguments)
    {
        Value result;
        Invoke(arguments, &result, 1);
        var handles = (nint*)result.Payload;
        var tensors = new torch.Tensor[result.Count];
        for (var i = 0; i < tensors.Length; i++)
            tensors[i] = new torch.Tensor(handles[i]);
        NativeMethods.uniscale_free_list((nint)handles);
        return tensors;
    }

    /// <summary>Calls an operator with a boolean as result.</summary>
    internal bool CallBool(params ReadOnlySpan<Argument> arguments)
    {
        Value result;
        Invoke(arguments, &result, 1);
        return result.Payload != 0;
    }

    /// <summary>Calls an operator with a number as result.</summary>
    internal Value CallValue(params ReadOnlySpan<Argument> arguments)
    {
        Value result;
        Invoke(arguments, &result, 1);
        return result;
    }

    /// <summary>Whether this libtorch has the operator.</summary>
    internal bool Exists => Find() != 0;

    /// <summary>Finds the operator in libtorch; an ExternalException names it when this libtorch has none.</summary>
    internal nint Resolve() => _handle = Errors.NotNull(Find());

    private nint Find()
    {
        fixed (byte* nameBytes = Encoding.UTF8.GetBytes(name + '\0'), overloadBytes = Encoding.UTF8.GetBytes(overload + '\0'))
            return NativeMethods.uniscale_operator_find(nameBytes, overloadBytes);
    }

    [SkipLocalsInit]
    private void Invoke(ReadOnlySpan<Argument> arguments, Value* results, int capacity)
    {
        var handle = _handle;
        if (handle == 0)
            handle = Resolve();

        var scratchCount = 0;
        foreach (ref readonly var argument in arguments)
            scratchCount += argument.ScratchCount;
        var values = stackalloc Value[arguments.Length];
        int status;
        fixed (long* scratch = scratchCount <= ScratchOnStack ? stackalloc long[ScratchOnStack] : new long[scratchCount])
        {
            var used = 0;
            for (var i = 0; i < arguments.Length; i++)
                used += arguments[i].Write(values + i, scratch + used);
            status = NativeMethods.uniscale_operator_call(handle, values, arguments.Length, results, capacity);
        }

        // Without this a tensor that nobody uses any more could be finalised while libtorch reads it.
        foreach (ref readonly var argument in arguments)
            GC.KeepAlive(argument.Owner);
        Errors.Check(status);
    }
}
