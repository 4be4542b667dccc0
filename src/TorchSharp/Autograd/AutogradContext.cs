using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>What a function's forward leaves for its backward.</summary>
        public class AutogradContext : IDisposable
        {
            // Never written to: save_for_backward and its like put another list in its place.
            private static readonly List<Tensor> None = [];

            // One entry as a rule, which stands here; a dictionary is made for more.
            private KeyValuePair<string, object> _first;
            private Dictionary<string, object>? _more;
            private nint _address;

            internal AutogradContext()
            {
            }

            /// <summary>Whether backward sees zeros in place of gradients that are absent; else null.</summary>
            public bool MaterializeGrads { get; private set; } = true;

            internal List<Tensor> Saved { get; private set; } = None;

            internal List<Tensor> Dirty { get; private set; } = None;

            internal List<Tensor> Constant { get; private set; } = None;

            public void set_materialize_grads(bool value) => MaterializeGrads = value;

            /// <summary>Keeps inputs or outputs for backward. Once, in forward. The graph owns them and checks that nobody changes them.</summary>
            public void save_for_backward(List<Tensor> tensors) => Saved = tensors;

            /// <summary>What <see cref="save_for_backward"/> was given, in backward.</summary>
            public unsafe List<Tensor> get_saved_variables()
            {
                var handles = stackalloc nint[SavedCount];
                Errors.Check(NativeMethods.uniscale_node_saved(_address, handles));
                var tensors = new List<Tensor>(SavedCount);
                for (var i = 0; i < SavedCount; i++)
                    tensors.Add(handles[i] == 0 ? null! : new Tensor(handles[i]));
                return tensors;
            }

            /// <summary>Keeps something other than a tensor for backward.</summary>
            public void save_data(string key, object value)
            {
                if (_first.Key is null || _first.Key == key)
                    _first = new(key, value);
                else
                    (_more ??= [])[key] = value;
            }

            /// <summary>What <see cref="save_data"/> was given under the key, or null.</summary>
            public object? get_data(string key) => _first.Key == key ? _first.Value : _more?.GetValueOrDefault(key);

            /// <summary>Names the inputs that forward changed in place.</summary>
            public void mark_dirty(List<Tensor> tensors) => Dirty = tensors;

            /// <summary>Names the outputs that have no gradient.</summary>
            public void mark_non_differentiable(List<Tensor> tensors) => Constant = tensors;

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing)
            {
                _first = default;
                _more = null;
            }

            private int SavedCount { get; set; }

            /// <summary>Forward is over: the node at this address has what was saved.</summary>
            internal void HandOver(nint address)
            {
                _address = address;
                SavedCount = Saved.Count;
                Saved = None;
                Dirty = None;
                Constant = None;
            }
        }
    }
}
