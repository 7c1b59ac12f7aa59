import type { Vendor } from './vendor.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
/** Every request that changes something has the call's id as its key. */
const KEYED = { ...FORM, 'idempotency-key': '<call>' };

export const stripe: Vendor = {
  folder: 'stripe',
  origins: ['https://api.stripe.com'],
  service: 'stripe',
  seed: {
    products: [{ name: 'Pro' }],
    prices: [{ product_name: 'Pro', currency: 'eur', unit_amount: 2000 }],
  },
  credentials: { 'stripe-key': 'sk_test_1' },
  headers: { authorization: 'Bearer sk_test_1' },
  operations: [
    {
      tool: 'stripe_create_customer',
      args: { name: 'Ada & Bob', email: 'ada@example.com', metadata: { order: 'a 1', site: 'x' } },
      request: 'POST /v1/customers',
      headers: KEYED,
      body: 'name=Ada+%26+Bob&email=ada%40example.com&metadata%5Border%5D=a+1&metadata%5Bsite%5D=x',
      learn: { customer: '/id' },
    },
    {
      tool: 'stripe_get_customer',
      args: { customer: '<customer>' },
      request: 'GET /v1/customers/<customer>',
    },
    {
      tool: 'stripe_list_customers',
      args: { email: 'ada+1@example.com', limit: 3 },
      request: 'GET /v1/customers?email=ada%2B1%40example.com&limit=3',
    },
    {
      tool: 'stripe_create_payment_intent',
      args: { amount: 1250, currency: 'eur', customer: '<customer>', payment_method_types: ['card', 'link'] },
      request: 'POST /v1/payment_intents',
      headers: KEYED,
      body: 'amount=1250&currency=eur&customer=<customer>&payment_method_types%5B0%5D=card&payment_method_types%5B1%5D=link',
      learn: { intent: '/id' },
    },
    {
      tool: 'stripe_get_payment_intent',
      args: { payment_intent: '<intent>' },
      request: 'GET /v1/payment_intents/<intent>',
    },
    {
      tool: 'stripe_confirm_payment_intent',
      args: { payment_intent: '<intent>', payment_method: 'pm_card_visa' },
      request: 'POST /v1/payment_intents/<intent>/confirm',
      headers: KEYED,
      body: 'payment_method=pm_card_visa',
    },
    {
      tool: 'stripe_create_payment_intent',
      args: { amount: 1, currency: 'eur' },
      request: 'POST /v1/payment_intents',
      headers: KEYED,
      body: 'amount=1&currency=eur',
      learn: { other: '/id' },
    },
    {
      tool: 'stripe_cancel_payment_intent',
      args: { payment_intent: '<other>', cancellation_reason: 'duplicate' },
      request: 'POST /v1/payment_intents/<other>/cancel',
      headers: KEYED,
      body: 'cancellation_reason=duplicate',
    },
    {
      tool: 'stripe_create_refund',
      args: { payment_intent: '<intent>', amount: 250, reason: 'requested_by_customer' },
      request: 'POST /v1/refunds',
      headers: KEYED,
      body: 'payment_intent=<intent>&amount=250&reason=requested_by_customer',
      lacked: true,
    },
    { tool: 'stripe_get_balance', request: 'GET /v1/balance', lacked: true },
    {
      tool: 'stripe_list_products',
      args: { active: true, limit: 1 },
      request: 'GET /v1/products?active=true&limit=1',
      learn: { product: '/data/0/id' },
    },
    {
      tool: 'stripe_create_price',
      args: { product: '<product>', unit_amount: 900, currency: 'eur', recurring: { interval: 'month' } },
      request: 'POST /v1/prices',
      headers: KEYED,
      body: 'product=<product>&unit_amount=900&currency=eur&recurring%5Binterval%5D=month',
      learn: { price: '/id' },
    },
    {
      tool: 'stripe_create_checkout_session',
      args: {
        ...{ mode: 'subscription', success_url: 'https://shop.example/ok?s=1' },
        line_items: [{ price: '<price>', quantity: 2 }],
      },
      request: 'POST /v1/checkout/sessions',
      headers: KEYED,
      body: 'mode=subscription&success_url=https%3A%2F%2Fshop.example%2Fok%3Fs%3D1&line_items%5B0%5D%5Bprice%5D=<price>&line_items%5B0%5D%5Bquantity%5D=2',
    },
  ],
};
