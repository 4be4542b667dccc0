using System.Runtime.InteropServices;
using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>What a native node calls: a function's backward with its context. Lives as long as the node.</summary>
        private sealed class Callback
        {
            private readonly string _name;
            private readonly AutogradContext _context;
            private readonly Func<AutogradContext, List<Tensor>, List<Tensor>> _backward;

            // For each argument of forward whether it was a tensor: those have gradients.
            private readonly bool[] _isTensor;

            internal Callback(string name, AutogradContext context, object[] arguments, Func<AutogradContext, List<Tensor>, List<Tensor>> backward)
            {
                _name = name;
                _context = context;
                _backward = backward;
                _isTensor = [.. arguments.Select(argument => argument is Tensor { IsInvalid: false })];
            }

            internal string Name => _name;

            internal void Release() => _context.Dispose();

            /// <summary>Computes the gradients and keeps those of the tensors among forward's arguments.</summary>
            internal List<Tensor?> Apply(List<Tensor> gradients)
            {
                var results = _backward(_context, gradients);
                if (results.Count < _isTensor.Length || results.Skip(_isTensor.Length).Any(extra => extra is not null))
                {
                    throw new InvalidOperationException(
                        $"Function {_name} returned an incorrect number of gradients (expected {_isTensor.Length}, got {results.Count}).");
                }
                var kept = new List<Tensor?>(_isTensor.Length);
                for (var i = 0; i < _isTensor.Length; i++)
                {
                    if (_isTensor[i])
                        kept.Add(results[i]);
                    else if (results[i] is not null)
                        throw new InvalidOperationException($"Function {_name} returned a gradient for argument {i + 1}, which is no tensor.");
                }
                return kept;
            }
        }

        /// <summary>Our hold on a native node while a function's forward runs; the graph keeps the node afterwards.</summary>
        private sealed unsafe class Node : IDisposable
        {
            private nint _handle;

            static Node() => NativeMethods.uniscale_autograd_callbacks(&Apply, &Release);

            internal Node(Callback callback)
            {
                var owner = GCHandle.Alloc(callback);
                _handle = Errors.NotNull(NativeMethods.uniscale_node_new(GCHandle.ToIntPtr(owner), callback.Name));
            }

            public void Dispose()
            {
                NativeMethods.uniscale_node_free(_handle);
                _handle = 0;
            }

            internal void Connect(IList<Tensor> inputs)
            {
                fixed (nint* input = Handles(inputs))
                    Errors.Check(NativeMethods.uniscale_node_connect(_handle, input, inputs.Count));
                KeepAlive(inputs);
            }

            internal static List<Tensor> Wrap(Node? node, IList<Tensor> inputs, AutogradContext context, IList<Tensor> outputs)
            {
                var results = stackalloc nint[outputs.Count];
                fixed (nint* input = Handles(inputs), output = Handles(outputs), constant = Handles(context.Constant), dirty = Handles(context.Dirty))
                {
                    Errors.Check(NativeMethods.uniscale_node_wrap(
                        node?._handle ?? 0, input, inputs.Count, constant, context.Constant.Count, dirty, context.Dirty.Count,
                        output, outputs.Count, results));
                }
                KeepAlive(inputs, outputs, context.Constant, context.Dirty);
                var wrapped = new List<Tensor>(outputs.Count);
                for (var i = 0; i < outputs.Count; i++)
                    wrapped.Add(results[i] == 0 ? null! : new Tensor(results[i]));
                return wrapped;
            }

            internal void Save(AutogradContext context)
            {
                fixed (nint* saved = Handles(context.Saved))
                {
                    Errors.Check(NativeMethods.uniscale_node_save(
                        _handle, saved, context.Saved.Count, context.MaterializeGrads ? 1 : 0));
                }
                KeepAlive(context.Saved);
                context.HandOver(NativeMethods.uniscale_node_address(_handle));
            }

            // Called by libtorch's engine: takes the handles of the gradients over, gives new handles for the results.
            [UnmanagedCallersOnly]
            private static int Apply(nint owner, nint* gradients, int count, nint* results, int capacity)
            {
                try
                {
                    var inputs = new List<Tensor>(count);
                    for (var i = 0; i < count; i++)
                        inputs.Add(gradients[i] == 0 ? null! : new Tensor(gradients[i]));
                    var computed = ((Callback)GCHandle.FromIntPtr(owner).Target!).Apply(inputs);
                    for (var i = 0; i < capacity; i++)
                        results[i] = computed[i] is { } gradient ? NativeMethods.uniscale_tensor_alias(gradient.Handle) : 0;
                    KeepAlive(computed!);
                    return 0;
                }
                catch (Exception exception)
                {
                    Errors.Leave(exception);
                    return -1;
                }
            }

            // Called when the graph lets the node go, on whatever thread that happens.
            [UnmanagedCallersOnly]
            private static void Release(nint owner)
            {
                var handle = GCHandle.FromIntPtr(owner);
                ((Callback)handle.Target!).Release();
                handle.Free();
            }
        }
    }
}
