using System.Diagnostics;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using static Uniscale.Torch.NativeMethods;

namespace Uniscale.Torch.Autograd;

/// <summary>
/// The managed side of a node of libtorch's graph. Nodes are used again when libtorch has deleted theirs: native code calls them by
/// pointers
/// made of delegates, which carry the node and cost more than all else here.
/// </summary>
internal sealed unsafe class GraphNode
{
    private const int MostTensors = 64;

    private static readonly Lock PoolLock = new();
    private static readonly Stack<GraphNode> Pool = new();

    /// <summary>Every node there is: the collector does not see that native code holds their delegates.</summary>
    private static readonly List<GraphNode> All = [];

    [ThreadStatic]
    private static CallLists? _idle;

    private readonly ApplyCallback _apply;
    private readonly Action _deleted;
    private readonly nint _applyPointer,
        _deletedPointer;
    private readonly List<nint> _saved = [];
    private readonly List<OutputShape> _outputs = [];
    private NodePointers _pointers;
    private BackwardCall _maker = null!;
    private GraphFunction? _function;
    private int _inputCount;
    private bool _done;

    private GraphNode()
    {
        (_apply, _deleted) = (Apply, Deleted);
        (_applyPointer, _deletedPointer) = (Marshal.GetFunctionPointerForDelegate(_apply), Marshal.GetFunctionPointerForDelegate(_deleted));
        lock (PoolLock)
            All.Add(this);
    }

    private delegate HandleArray ApplyCallback(nint* gradients, int count);

    /// <summary>Runs forward, and ties its outputs to a node where gradients are wanted.</summary>
    public static IReadOnlyList<Tensor> Run(GraphFunction function, ReadOnlySpan<Tensor> inputs)
    {
        if (inputs.Length > MostTensors)
            throw new ArgumentException($"A function of the graph takes {MostTensors} tensors; {inputs.Length} were given.");
        var node = is_grad_enabled() && WantsGradients(inputs) ? Take(function, inputs.Length) : null;
        var lists = _idle ?? new CallLists();
        _idle = null;
        lists.First.AddRange(inputs);
        try
        {
            using var scope = NewDisposeScope();
            node?.Connect(inputs);
            var outputs = Forward(function, lists, node is not null);
            if (node is not null)
            {
                outputs = node.Tie(inputs, outputs);
                node.Save(lists.Saved);
            }
            for (int i = 0; i < outputs.Count; i++)
                outputs[i].MoveToOuterDisposeScope();
            return outputs;
        }
        finally
        {
            // The graph holds the node from here on, or nobody does.
            if (node is not null)
                THSAutograd_CSharpNode_disposeSharedPtr(node._pointers);
            lists.Clear();
            _idle = lists;
        }
    }

    private static bool WantsGradients(ReadOnlySpan<Tensor> inputs)
    {
        foreach (var input in inputs)
            if (input.requires_grad)
                return true;
        return false;
    }

    private static IReadOnlyList<Tensor> Forward(GraphFunction function, CallLists lists, bool records)
    {
        long start = GraphFunction.Listener is null ? 0 : Stopwatch.GetTimestamp();
        if (records)
            THSAutograd_setGrad(false);
        try
        {
            return function.Forward(lists.First, lists.Saved);
        }
        finally
        {
            if (records)
                THSAutograd_setGrad(true);
            GraphFunction.Listener?.Invoke($"{function.Name} forward", start, Stopwatch.GetTimestamp());
        }
    }

    private static GraphNode Take(GraphFunction function, int inputCount)
    {
        GraphNode? node;
        lock (PoolLock)
            Pool.TryPop(out node);
        node ??= new GraphNode();
        (node._function, node._inputCount, node._done, node._maker) = (function, inputCount, false, Gradients.OfThisThread);
        node._pointers = THSAutograd_CSharpNode_ctor(node._applyPointer, node._deletedPointer);
        CheckForErrors();
        return node;
    }

    private void Connect(ReadOnlySpan<Tensor> inputs)
    {
        nint* handles = stackalloc nint[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
            handles[i] = inputs[i].Handle;
        THSAutograd_CSharpNode_setNextEdges(_pointers, new HandleArray(handles, inputs.Length), records: true);
        CheckForErrors();
        THSAutograd_CSharpNode_clearInputMetadata(_pointers);
        CheckForErrors();
    }

    /// <summary>The outputs as parts of the graph: as a rule the same tensors.</summary>
    private IReadOnlyList<Tensor> Tie(ReadOnlySpan<Tensor> inputs, IReadOnlyList<Tensor> outputs)
    {
        nint* before = stackalloc nint[inputs.Length],
            after = stackalloc nint[outputs.Count];
        for (int i = 0; i < inputs.Length; i++)
            before[i] = inputs[i].Handle;
        for (int i = 0; i < outputs.Count; i++)
            after[i] = outputs[i].Handle;
        THSAutograd_Function_wrapOutputs(
            new HandleArray(before, inputs.Length),
            default,
            default,
            new HandleArray(after, outputs.Count),
            _pointers,
            &ThreadHandles.Allocate
        );
        CheckForErrors();
        nint* tied = ThreadHandles.Buffer;
        Tensor[]? others = null;
        for (int i = 0; i < outputs.Count; i++)
        {
            _outputs.Add(new OutputShape(outputs[i]));
            // A handle is the address of a pointer to the tensor proper.
            if (*(nint*)tied[i] == *(nint*)after[i])
            {
                THSTensor_dispose(tied[i]);
                continue;
            }
            others ??= [.. outputs];
            others[i] = Tensor.UnsafeCreateTensor(tied[i]);
        }
        return others ?? outputs;
    }

    private void Save(List<Tensor> tensors)
    {
        foreach (var tensor in tensors)
        {
            nint saved = THSAutograd_SavedVariable_ctor(tensor.Handle, _pointers, changedInPlace: false);
            CheckForErrors();
            _saved.Add(saved);
        }
    }

    /// <summary>Backward, called by libtorch. Nothing may be thrown from here: C++ is between this and who would catch it.</summary>
    private HandleArray Apply(nint* gradients, int count)
    {
        var call = Gradients.CallOf(_maker);
        var row = call.Results();
        row.FreeResults();
        nint* results = row.Results(_inputCount);
        var lists = _idle ?? new CallLists();
        _idle = null;
        try
        {
            using var scope = NewDisposeScope();
            // Handles are owned from the first line, whatever happens to the others.
            for (int i = 0; i < count; i++)
                lists.First.Add(gradients[i] == 0 ? null! : Tensor.UnsafeCreateTensor(gradients[i]));
            if (!call.HasFailed)
                Backward(lists, results, call.Listener);
        }
        catch (Exception failure)
        {
            call.Fail(failure);
        }
        finally
        {
            lists.Clear();
            _idle = lists;
        }
        return new HandleArray(results, _inputCount);
    }

    private void Backward(CallLists lists, nint* results, Action<string, long, long>? listener)
    {
        if (_done)
            throw new InvalidOperationException($"{_function!.Name} goes backward a second time, when what it had saved is gone.");
        _done = true;
        long start = listener is null ? 0 : Stopwatch.GetTimestamp();
        for (int i = 0; i < lists.First.Count; i++)
            lists.First[i] ??= _outputs[i].Zeros();
        foreach (nint saved in _saved)
        {
            nint handle = THSAutograd_SavedVariable_unpack(saved, _pointers);
            if (handle == 0)
                CheckForErrors();
            lists.Saved.Add(Tensor.UnsafeCreateTensor(handle));
        }
        FreeSaved();
        var computed = _function!.Backward(lists.First, lists.Saved);
        if (computed.Count != _inputCount)
            throw new InvalidOperationException($"{_function.Name} gave {computed.Count} gradients for {_inputCount} inputs.");
        for (int i = 0; i < _inputCount; i++)
            if (computed[i] is { } gradient)
                results[i] = THSTensor_alias(gradient.Handle);
        listener?.Invoke($"{_function.Name} backward", start, Stopwatch.GetTimestamp());
    }

    private void FreeSaved()
    {
        foreach (nint saved in _saved)
            THSAutograd_SavedVariable_dispose(saved);
        _saved.Clear();
    }

    /// <summary>libtorch has let go of its node; on any thread.</summary>
    private void Deleted()
    {
        FreeSaved();
        THSAutograd_CSharpNode_disposeWeakPtr(_pointers);
        _outputs.Clear();
        (_function, _pointers) = (null, default);
        lock (PoolLock)
            Pool.Push(this);
    }

    /// <summary>What zeros in place of an absent gradient look like.</summary>
    private readonly struct OutputShape
    {
        private readonly Shape _sizes;
        private readonly int _dims;
        private readonly ScalarType _type;
        private readonly DeviceType _device;
        private readonly int _index;

        public OutputShape(Tensor tensor)
        {
            _dims = Math.Min((int)tensor.dim(), Shape.Most);
            for (int i = 0; i < _dims; i++)
                _sizes[i] = tensor.size(i);
            (_type, _device, _index) = (tensor.dtype, tensor.device_type, tensor.device_index);
        }

        public Tensor Zeros() => zeros(((ReadOnlySpan<long>)_sizes)[.._dims], _type, new Device(_device, _index));

        [System.Runtime.CompilerServices.InlineArray(Most)]
        private struct Shape
        {
            public const int Most = 8;
            private long _first;
        }
    }

    /// <summary>Lists of a call, for the thread's next one when it is over.</summary>
    private sealed class CallLists
    {
        /// <summary>Inputs, or gradients of outputs.</summary>
        public List<Tensor> First { get; } = [];

        public List<Tensor> Saved { get; } = [];

        public void Clear()
        {
            First.Clear();
            Saved.Clear();
        }
    }
}
