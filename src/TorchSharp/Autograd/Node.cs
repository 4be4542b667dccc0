using System.Runtime.InteropServices;
using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>Our hold on a native node while a function's forward runs; the graph keeps the node afterwards. By default none: nothing is recorded.</summary>
        private unsafe struct Node : IDisposable
        {
            [ThreadStatic]
            private static List<Tensor>? _idle;

            private nint _handle;

            static Node() => NativeMethods.uniscale_autograd_callbacks(&Apply, &Release);

            internal Node(RecordedCall call)
            {
                var owner = GCHandle.Alloc(call);
                _handle = Errors.NotNull(NativeMethods.uniscale_node_new(GCHandle.ToIntPtr(owner), call.Name));
            }

            public void Dispose()
            {
                if (_handle != 0)
                    NativeMethods.uniscale_node_free(_handle);
                _handle = 0;
            }

            /// <summary>Ties the node to where the tensors among the arguments come from.</summary>
            internal readonly void Connect(object[] arguments)
            {
                if (_handle == 0)
                    return;
                var inputs = stackalloc nint[arguments.Length];
                Errors.Check(NativeMethods.uniscale_node_connect(_handle, inputs, CopyInputs(arguments, inputs)));
                KeepArguments(arguments);
            }

            /// <summary>
            /// Ties the outputs to the node, in place. An output that libtorch ties as it is keeps its object where that goes with the
            /// scope of the caller anyway; any other gets a new one.
            /// </summary>
            internal readonly void Tie(object[] arguments, AutogradContext context, List<Tensor> outputs)
            {
                nint* input = stackalloc nint[arguments.Length], output = stackalloc nint[outputs.Count], result = stackalloc nint[outputs.Count];
                nint* constant = stackalloc nint[context.Constant.Count], dirty = stackalloc nint[context.Dirty.Count];
                var inputCount = CopyInputs(arguments, input);
                CopyHandles(outputs, output);
                CopyHandles(context.Constant, constant);
                CopyHandles(context.Dirty, dirty);
                Errors.Check(NativeMethods.uniscale_node_wrap(
                    _handle, input, inputCount, constant, context.Constant.Count, dirty, context.Dirty.Count, output, outputs.Count, result));
                KeepArguments(arguments);
                KeepAlive(outputs, context.Constant, context.Dirty);
                var scope = CurrentDisposeScope;
                for (var i = 0; i < outputs.Count; i++)
                {
                    var isSame = result[i] != 0 && result[i] == output[i];
                    if (isSame && scope is not null && outputs[i].OwningDisposeScope == scope)
                        continue;
                    var handle = isSame ? NativeMethods.uniscale_tensor_alias(result[i]) : result[i];
                    outputs[i] = handle == 0 ? null! : new Tensor(handle);
                }
            }

            internal readonly void Save(AutogradContext context)
            {
                if (_handle == 0)
                    return;
                var saved = stackalloc nint[context.Saved.Count];
                CopyHandles(context.Saved, saved);
                Errors.Check(NativeMethods.uniscale_node_save(_handle, saved, context.Saved.Count, context.MaterializeGrads ? 1 : 0));
                KeepAlive(context.Saved);
                context.HandOver(NativeMethods.uniscale_node_address(_handle));
            }

            private static int CopyInputs(object[] arguments, nint* handles)
            {
                var count = 0;
                foreach (var argument in arguments)
                {
                    if (argument is Tensor { IsInvalid: false } tensor)
                        handles[count++] = tensor.Handle;
                }
                return count;
            }

            private static void KeepArguments(object[] arguments)
            {
                foreach (var argument in arguments)
                    GC.KeepAlive(argument);
            }

            // Called by libtorch's engine: takes the handles of the gradients over, gives new handles for the results.
            [UnmanagedCallersOnly]
            private static int Apply(nint owner, nint* gradients, int count, nint* results, int capacity)
            {
                try
                {
                    // A backward may call backward: the list is this call's until it is over.
                    var inputs = _idle ?? [];
                    _idle = null;
                    for (var i = 0; i < count; i++)
                        inputs.Add(gradients[i] == 0 ? null! : new Tensor(gradients[i]));
                    ((RecordedCall)GCHandle.FromIntPtr(owner).Target!).Apply(inputs, results, capacity);
                    inputs.Clear();
                    _idle = inputs;
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
                ((RecordedCall)handle.Target!).Dispose();
                handle.Free();
            }
        }
    }
}
