using System.Runtime.InteropServices;
using System.Text;
using static TorchSharp.torch;

namespace Uniscale.Torch;

/// <summary>
/// Any operator of libtorch's dispatcher by its schema name, for those that TorchSharp does not offer, e.g.
/// <c>new TorchOperator("aten::embedding").Call(weight, tokens)</c>. Keep the object: finding the operator costs more than calling it.
/// </summary>
public sealed unsafe class TorchOperator
{
    private readonly nint _handle;

    /// <summary>Finds an operator; an ExternalException names it when this libtorch has none.</summary>
    /// <param name="name">Name with its namespace, e.g. <c>aten::embedding</c>.</param>
    /// <param name="overload">Overload, empty for the one without a name.</param>
    public TorchOperator(string name, string overload = "")
    {
        fixed (byte* nameBytes = Encoding.UTF8.GetBytes(name + '\0'), overloadBytes = Encoding.UTF8.GetBytes(overload + '\0'))
            _handle = NativeMethods.uniscale_operator_find(nameBytes, overloadBytes);
        if (_handle == 0)
            throw NativeMethods.Failure();
    }

    /// <summary>Calls an operator whose result is one tensor.</summary>
    /// <param name="arguments">
    /// In the schema's order: Tensor, Tensor[], long, int, double, float, bool, long[], string, ScalarType, Device or null;
    /// those left out at the end take their defaults.
    /// </param>
    public Tensor Call(params ReadOnlySpan<object?> arguments) => CallMany(1, arguments)[0];

    /// <summary>Calls an operator whose results are tensors; absent ones are left out.</summary>
    /// <param name="resultCount">Results of the schema.</param>
    /// <param name="arguments">As for <see cref="Call"/>.</param>
    public Tensor[] CallMany(int resultCount, params ReadOnlySpan<object?> arguments)
    {
        var values = stackalloc Value[arguments.Length];
        var results = stackalloc Value[resultCount];
        var pins = new List<GCHandle>();
        int count;
        try
        {
            for (var i = 0; i < arguments.Length; i++)
                values[i] = ToValue(arguments[i], pins);
            count = NativeMethods.uniscale_operator_call(_handle, values, arguments.Length, results, resultCount);
        }
        finally
        {
            foreach (var pin in pins)
                pin.Free();
        }
        foreach (var argument in arguments)
            GC.KeepAlive(argument);
        return count < 0 ? throw NativeMethods.Failure() : Tensors(new ReadOnlySpan<Value>(results, count));
    }

    private static Tensor[] Tensors(ReadOnlySpan<Value> results)
    {
        var tensors = new List<Tensor>();
        foreach (var result in results)
        {
            if (result.Kind == ValueKind.Tensor && result.Payload != 0)
                tensors.Add(Tensor.UnsafeCreateTensor((nint)result.Payload));
            if (result.Kind != ValueKind.Tensors)
                continue;
            foreach (var handle in new ReadOnlySpan<nint>((void*)result.Payload, result.Count))
                tensors.Add(Tensor.UnsafeCreateTensor(handle));
            NativeMethods.uniscale_free_list((nint)result.Payload);
        }
        return [.. tensors];
    }

    private static Value ToValue(object? argument, List<GCHandle> pins) => argument switch
    {
        null => default,
        Tensor tensor => new Value { Kind = ValueKind.Tensor, Payload = tensor.Handle },
        long integer => new Value { Kind = ValueKind.Integer, Payload = integer },
        int integer => new Value { Kind = ValueKind.Integer, Payload = integer },
        ScalarType type => new Value { Kind = ValueKind.Integer, Payload = (long)type },
        double real => new Value { Kind = ValueKind.Real, Payload = BitConverter.DoubleToInt64Bits(real) },
        float real => new Value { Kind = ValueKind.Real, Payload = BitConverter.DoubleToInt64Bits(real) },
        bool flag => new Value { Kind = ValueKind.Boolean, Payload = flag ? 1 : 0 },
        Device device => new Value { Kind = ValueKind.Device, Payload = (uint)device.type | ((long)device.index << 32) },
        long[] integers => Pinned(ValueKind.Integers, integers, integers.Length, pins),
        Tensor[] list => Pinned(ValueKind.Tensors, Array.ConvertAll(list, tensor => tensor.Handle), list.Length, pins),
        string text => Pinned(ValueKind.String, Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetByteCount(text), pins),
        _ => throw new ArgumentException($"A {argument.GetType().Name} cannot be an argument of an operator."),
    };

    private static Value Pinned(ValueKind kind, Array elements, int count, List<GCHandle> pins)
    {
        var pin = GCHandle.Alloc(elements, GCHandleType.Pinned);
        pins.Add(pin);
        return new Value { Kind = kind, Count = count, Payload = pin.AddrOfPinnedObject() };
    }
}
